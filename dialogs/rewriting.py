"""Changing what a message says, marking it deleted, and reactions to it: whoever did it, wherever."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from dialogs.models import Dialog, Message, MessageVersion
from dialogs.store import PREVIEW


async def hold(session: AsyncSession, message_id: UUID) -> Message | None:
    """The message as it is now, locked after its dialog, as all do who change both."""
    dialog_id = select(Message.dialog_id).where(Message.id == message_id).scalar_subquery()
    await session.execute(select(Dialog.id).where(Dialog.id == dialog_id).with_for_update())
    return await session.get(Message, message_id, with_for_update=True, populate_existing=True)


async def rewrite(
    session: AsyncSession,
    message: Message,
    new: str,
    *,
    actor: facts.Actor,
    at: datetime | None = None,
    meta: dict[str, Any] | None = None,
) -> None:
    """The message says `new` from now on; what it said is kept."""
    if message.text != new:
        session.add(MessageVersion(message_id=message.id, text=message.text))
    message.text = new
    message.edited_at = at or func.now()
    if meta is not None:
        message.meta = message.meta | meta
    await session.execute(
        update(Dialog)
        .where(Dialog.id == message.dialog_id, Dialog.last_message_id == message.id)
        .values(preview=" ".join(new.split())[:PREVIEW])
    )
    await tell(session, message, "message.edited", actor=actor)


async def mark_deleted(
    session: AsyncSession, message: Message, *, actor: facts.Actor, at: datetime | None = None
) -> None:
    """It is gone where it was; here it stays, marked."""
    if message.deleted_at is None:
        message.deleted_at = at or func.now()
        await tell(session, message, "message.deleted", actor=actor)


async def react(
    session: AsyncSession,
    message: Message,
    emojis: list[str],
    *,
    by: str,
    id: UUID | None,
    actor: facts.Actor,
) -> None:
    """These are somebody's reactions to it, all of them. All of us are one person to the platform."""
    others = [one for one in message.reactions if one["by"] != by]
    if by == "customer":  # in a group there are several
        others = [one for one in message.reactions if one["id"] != str(id)]
    now = [{"emoji": emoji, "by": by, "id": str(id) if id else None} for emoji in emojis]
    if others + now != message.reactions:
        message.reactions = others + now
        await tell(session, message, "message.reaction", actor=actor)


async def tell(
    session: AsyncSession,
    message: Message,
    type: str,
    *,
    actor: facts.Actor,
    data: dict[str, Any] | None = None,
) -> None:
    """Record a fact about a message."""
    await session.flush()
    await facts.record(
        session,
        type,
        actor=actor,
        customer_id=message.customer_id,
        dialog_id=message.dialog_id,
        message_id=message.id,
        channel_id=message.channel_id,
        data=data or {},
    )
