"""Since when a customer waits for an answer, counted anew when one of ours turned out otherwise."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from dialogs.models import Dialog, Message

_NO_ANSWER = ("cancelled", "failed", "unknown")


async def unanswered(session: AsyncSession, dialog_id: UUID) -> datetime | None:
    """When the customer's first message came that is not answered yet."""
    found: datetime | None = await session.scalar(select(_unanswered(dialog_id).scalar_subquery()))
    return found


def _answered(dialog_id: UUID) -> ScalarSelect[int]:
    return (
        select(func.coalesce(func.max(Message.seq), 0))
        .where(
            Message.dialog_id == dialog_id,
            Message.direction == "out",
            Message.status.not_in(_NO_ANSWER),
        )
        .scalar_subquery()
    )


def _unanswered(dialog_id: UUID) -> Select[datetime]:
    return select(func.min(Message.created_at)).where(
        Message.dialog_id == dialog_id,
        Message.direction == "in",
        Message.seq > _answered(dialog_id),
        Message.meta.has_key("automatic").is_(False),
    )


async def recount(session: AsyncSession, dialog_id: UUID) -> None:
    """He waits since his first message after our last answer, or since now when a later one was lost.

    What is queued or on its way is an answer until it fails.
    """
    lost = select(Message.id).where(
        Message.dialog_id == dialog_id,
        Message.status.in_(("failed", "unknown")),
        Message.seq > _answered(dialog_id),
    )
    since = func.coalesce(
        _unanswered(dialog_id).scalar_subquery(),
        case((lost.exists(), func.coalesce(Dialog.waiting_since, func.now()))),
    )
    await session.execute(
        update(Dialog)
        .where(Dialog.id == dialog_id, Dialog.status != "closed", Dialog.inbound_count > 0)
        .values(waiting_since=since)
        .execution_options(synchronize_session=False)
    )
