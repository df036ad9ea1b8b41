"""Messages of ours that the platform shows us: our own sends, and what staff wrote in its own interface."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from channels.base import Echo
from dialogs import delivery, message_keys, waiting
from dialogs.models import Attachment, Dialog, Identity, Message
from dialogs.store import PREVIEW, clean, cleaned, file_values

if TYPE_CHECKING:
    from channels.inbound import Raw


async def apply(session: AsyncSession, event: Echo, *, raw: "Raw") -> bool:
    """Settle our own message by its echo, or show what was written elsewhere as an answer."""
    ours = await _ours(session, event, raw)
    if ours is not None:
        return await _settle(session, ours, event, raw)
    return await _written_elsewhere(session, event, raw)


async def _ours(session: AsyncSession, event: Echo, raw: "Raw") -> Message | None:
    """Known by its key or its id; else the newest whose outcome we wait for, by its text."""
    chat, external_id = clean(event.chat), clean(event.external_id)
    named = message_keys.any_name(raw.channel_id, chat, external_id)
    awaited = Message.status.in_(("sending", "unknown")) & (Message.chat == chat)
    return (
        await _by_key(session, raw, event.key, chat)
        or await _newest(session, raw, Message.id.in_(named))
        or await _newest(session, raw, awaited & (Message.text == clean(event.text)))
    )


async def _by_key(session: AsyncSession, raw: "Raw", key: str, chat: str) -> Message | None:
    """The number of the message, which the platform gives back; its chat may not be known yet."""
    if not key.isdecimal() or int(key) >= 2**63:
        return None
    in_chat = or_(Message.chat.in_(("", chat)), Message.chat.is_(None))
    return await _newest(session, raw, (Message.seq == int(key)) & in_chat)


async def _newest(session: AsyncSession, raw: "Raw", where: ColumnElement[bool]) -> Message | None:
    found: Message | None = await session.scalar(
        select(Message)
        .where(Message.channel_id == raw.channel_id, Message.direction == "out", where)
        .order_by(Message.seq.desc())
        .limit(1)
        .with_for_update()
    )
    return found


async def _settle(session: AsyncSession, message: Message, event: Echo, raw: "Raw") -> bool:
    """The platform shows it, so it has it, whatever we had thought of it."""
    if message.status not in ("queued", "sending", "unknown", "failed"):
        return True
    message.status = "sent"
    message.sent_at = message.sent_at or func.now()
    message.chat = message.chat or clean(event.chat)
    if not message.external_id:
        message.external_id = clean(event.external_id)
        await message_keys.add(
            session, raw.channel_id, message.chat, message.external_id, message_id=message.id
        )
    message.error = message.error_code = None
    message.next_attempt_at = None
    await session.flush()
    await waiting.recount(session, message.dialog_id)
    await delivery.tell(session, message.id, message.customer_id, message.dialog_id, "sent")
    return True


async def _written_elsewhere(session: AsyncSession, event: Echo, raw: "Raw") -> bool:
    identity = await _recipient(session, event, raw)
    if identity is None:
        return False
    dialog = await _dialog(session, identity.customer_id)
    if dialog is None:
        return False
    message = Message(
        customer_id=identity.customer_id,
        dialog_id=dialog.id,
        channel_id=raw.channel_id,
        identity_id=identity.id,
        direction="out",
        status="sent",
        text=clean(event.text),
        chat=clean(event.chat),
        external_id=clean(event.external_id),
        inbound_id=raw.id,
        occurred_at=event.occurred_at,
        sent_at=event.occurred_at or func.now(),
        meta={"elsewhere": True} | ({"author": clean(event.author)[:300]} if event.author else {}),
    )
    session.add(message)
    await session.flush()
    session.add(message_keys.of(message))
    session.add_all(_files(event, message))
    _answered(dialog, message, event)
    await session.flush()
    await session.refresh(message)
    await facts.record(
        session,
        "message.created",
        actor=facts.SYSTEM,
        customer_id=identity.customer_id,
        dialog_id=dialog.id,
        message_id=message.id,
        channel_id=raw.channel_id,
        data={"direction": "out", "seq": message.seq},
    )
    return True


def _files(event: Echo, message: Message) -> list[Attachment]:
    values = (file_values(file, position) for position, file in enumerate(event.files))
    return [Attachment(message_id=message.id, **cleaned(one)) for one in values]


async def _dialog(session: AsyncSession, customer_id: UUID) -> Dialog | None:
    """The customer's open dialog, or his newest one."""
    found: Dialog | None = await session.scalar(
        select(Dialog)
        .where(Dialog.customer_id == customer_id)
        .order_by((Dialog.status != "closed").desc(), Dialog.number.desc())
        .limit(1)
        .with_for_update()
    )
    return found


def _answered(dialog: Dialog, message: Message, event: Echo) -> None:
    dialog.waiting_since = None
    dialog.first_response_at = dialog.first_response_at or func.now()
    dialog.last_message_id, dialog.last_direction, dialog.last_author_id = message.id, "out", None
    dialog.last_message_at = func.now()
    said = " ".join(message.text.split())[:PREVIEW]
    dialog.preview = said or (f"[{event.files[0].kind}]" if event.files else "")


async def _recipient(session: AsyncSession, event: Echo, raw: "Raw") -> Identity | None:
    if event.recipient is None:
        return None
    found: Identity | None = await session.scalar(
        select(Identity)
        .where(
            Identity.scope == (event.recipient.scope or str(raw.channel_id)),
            Identity.external_id == clean(event.recipient.external_id),
        )
        .with_for_update(key_share=True, read=True)
    )
    return found
