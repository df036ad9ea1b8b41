"""System lines: entries of the thread that say what happened around it, for staff only.

A line has no text of its own; the console words it from `meta["kind"]` and the numbers beside it.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.facts import Actor
from dialogs.models import Dialog, Message


async def append(
    session: AsyncSession, dialog: Dialog, *, actor: Actor, kind: str, values: dict[str, Any]
) -> Message:
    """Write a line into a dialog that the caller has locked. The dialog's preview stays as it is."""
    line = Message(
        customer_id=dialog.customer_id,
        dialog_id=dialog.id,
        direction="system",
        author_id=actor.id if actor.kind == "agent" else None,
        meta={"kind": kind, **values},
    )
    session.add(line)
    await session.flush()
    await facts.record(
        session,
        "message.created",
        actor=actor,
        customer_id=dialog.customer_id,
        dialog_id=dialog.id,
        message_id=line.id,
        data={"direction": "system", "seq": line.seq},
    )
    return line
