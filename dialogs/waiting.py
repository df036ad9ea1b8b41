"""Since when a customer waits for an answer, counted anew when one of ours turned out otherwise."""

from uuid import UUID

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from dialogs.models import Dialog, Message

_NO_ANSWER = ("cancelled", "failed", "unknown")


async def recount(session: AsyncSession, dialog_id: UUID) -> None:
    """He waits since his first message after our last answer, or since now when a later one was lost.

    What is queued or on its way is an answer until it fails.
    """
    of_dialog = Message.dialog_id == dialog_id
    answered = (
        select(func.coalesce(func.max(Message.seq), 0))
        .where(of_dialog, Message.direction == "out", Message.status.not_in(_NO_ANSWER))
        .scalar_subquery()
    )
    unanswered = select(func.min(Message.created_at)).where(
        of_dialog,
        Message.direction == "in",
        Message.seq > answered,
        Message.meta.has_key("automatic").is_(False),
    )
    lost = select(Message.id).where(
        of_dialog, Message.status.in_(("failed", "unknown")), Message.seq > answered
    )
    since = func.coalesce(
        unanswered.scalar_subquery(),
        case((lost.exists(), func.coalesce(Dialog.waiting_since, func.now()))),
    )
    await session.execute(
        update(Dialog)
        .where(Dialog.id == dialog_id, Dialog.status != "closed", Dialog.inbound_count > 0)
        .values(waiting_since=since)
        .execution_options(synchronize_session=False)
    )
