"""Moving an identity, with what was said through it, to another customer."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from dialogs import work
from dialogs.models import Dialog, Identity, Message


async def move(session: AsyncSession, identity: Identity, *, to: UUID) -> None:
    """Give `identity` to the customer `to`.

    When it was the only identity of its customer, his dialogs and messages come along (an open
    dialog is closed when `to` has one); else only what is written from now on does.
    """
    before = identity.customer_id
    identity.customer_id = to
    await session.flush()
    others = await session.scalar(select(func.count()).where(Identity.customer_id == before))
    if others:
        return
    if await _open_dialog(session, to) is not None:
        await session.execute(
            update(Dialog)
            .where(Dialog.customer_id == before, Dialog.status != "closed")
            .values(status="closed", closed_at=func.now(), snoozed_until=None, waiting_since=None)
        )
    moved = list(
        await session.scalars(
            update(Dialog).where(Dialog.customer_id == before).values(customer_id=to).returning(Dialog.id)
        )
    )
    await session.execute(update(Message).where(Message.customer_id == before).values(customer_id=to))
    for dialog_id in moved:
        await facts.record(
            session,
            "dialog.changed",
            actor=facts.SYSTEM,
            customer_id=to,
            dialog_id=dialog_id,
            data={"from_customer_id": str(before)},
        )
        await work.record_sight(session, dialog_id, actor=facts.SYSTEM)


async def _open_dialog(session: AsyncSession, customer_id: UUID) -> UUID | None:
    found: UUID | None = await session.scalar(
        select(Dialog.id)
        .where(Dialog.customer_id == customer_id, Dialog.status != "closed")
        .with_for_update()
    )
    return found
