"""What happened to one dialog: its facts from the log, without the small change of reading and sending."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.models import Fact

_LEFT_OUT = ("dialog.read", "message.status", "message.act", "message.reaction", "attachment.changed")


async def of_dialog(session: AsyncSession, dialog_id: UUID) -> list[dict[str, Any]]:
    """Facts of the dialog in the order of the log, at most 1,000 of the newest."""
    rows = await session.scalars(
        select(Fact)
        .where(Fact.dialog_id == dialog_id, Fact.type.not_in(_LEFT_OUT))
        .order_by(Fact.id.desc())
        .limit(1000)
    )
    return [_shape(row) for row in reversed(list(rows))]


def _shape(row: Fact) -> dict[str, Any]:
    return {
        "type": row.type,
        "at": row.at,
        "actor": {"kind": row.actor_kind, "id": row.actor_id},
        "dialog_id": row.dialog_id,
        "message_id": row.message_id,
        "task_id": row.task_id,
        "agent_id": row.agent_id,
        "team_id": row.team_id,
        "data": {name: value for name, value in row.data.items() if not name.startswith("from_guest")},
    }
