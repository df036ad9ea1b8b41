"""What becomes known of an outgoing message: sent, delivered, read, failed. Never backwards."""

from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from channels.base import Receipt
from dialogs import message_keys, waiting
from dialogs.message_keys import MessageAlias
from dialogs.models import Message
from dialogs.store import clean

_BEFORE = {
    "delivered": ("sending", "sent", "unknown"),
    "read": ("sending", "sent", "delivered", "unknown"),
    "failed": ("sending", "sent", "unknown"),
}


async def receipt(session: AsyncSession, event: Receipt, *, channel_id: UUID) -> bool:
    """Apply news from the platform about messages of ours."""
    where = _which(event, channel_id)
    if where is None:
        return False
    if event.status == "noted":
        return await _note(session, where, event.reason, channel_id=channel_id)
    if event.status == "failed" and event.recipient:
        copied = _in_copy(event.recipient)
        if await _note(session, where & copied, f"{event.recipient}: {event.reason}", channel_id=channel_id):
            return True
    values: dict[str, object] = {"status": event.status}
    if event.status == "failed":
        values |= {"error": clean(event.reason)[:1000], "error_code": "bounced"}
    if event.status in ("delivered", "read"):
        values["delivered_at"] = func.coalesce(Message.delivered_at, func.now())
    if event.status == "read":
        values["read_at"] = func.now()
    changed = await session.execute(
        update(Message)
        .where(
            Message.channel_id == channel_id,
            Message.direction == "out",
            Message.status.in_(_BEFORE[event.status]),
            where,
        )
        .values(**values)
        .returning(Message.id, Message.customer_id, Message.dialog_id)
    )
    rows = changed.all()
    for row in rows:
        await tell(session, row.id, row.customer_id, row.dialog_id, event.status)
    for dialog_id in {row.dialog_id for row in rows} if event.status == "failed" else ():
        await waiting.recount(session, dialog_id)
    return bool(rows)


def _in_copy(address: str) -> ColumnElement[bool]:
    """Whether the agent sent the message to others, and the address is one beside."""
    mail, one = Message.meta["mail"], [address]
    among = or_(mail["cc"].contains(one), mail["bcc"].contains(one))
    return among | (mail["to"].contains(one) & (func.jsonb_array_length(mail["to"]) > 1))


async def _note(session: AsyncSession, where: ColumnElement[bool], note: str, *, channel_id: UUID) -> bool:
    """Show something beside a message whose status stays; what was noted before stays, too."""
    text = func.concat_ws("\n", Message.meta["note"].astext, clean(note)[:500])
    rows = await session.execute(
        update(Message)
        .where(Message.channel_id == channel_id, Message.direction == "out", where)
        .values(meta=Message.meta.op("||")(func.jsonb_build_object("note", func.right(text, 1000))))
        .returning(Message.id, Message.customer_id, Message.dialog_id, Message.status)
    )
    found = rows.all()
    for row in found:
        await tell(session, row.id, row.customer_id, row.dialog_id, row.status or "sent")
    return bool(found)


def _which(event: Receipt, channel_id: UUID) -> ColumnElement[bool] | None:
    if event.alias:
        return Message.id.in_(
            select(MessageAlias.message_id).where(
                MessageAlias.channel_id == channel_id, MessageAlias.alias == clean(event.alias)
            )
        )
    if event.external_id:
        return Message.id.in_(message_keys.named(channel_id, event.chat, event.external_id))
    if event.up_to.isdecimal():
        return (
            (Message.chat == clean(event.chat))
            & Message.external_id.regexp_match("^[0-9]{1,18}$")
            & (cast(func.substring(Message.external_id, "^[0-9]{1,18}$"), BigInteger) <= int(event.up_to))
        )
    return None


async def tell(
    session: AsyncSession,
    message_id: UUID,
    customer_id: UUID,
    dialog_id: UUID,
    status: str,
) -> None:
    """Record that a message has come to `status`."""
    await facts.record(
        session,
        "message.status",
        actor=facts.SYSTEM,
        customer_id=customer_id,
        dialog_id=dialog_id,
        message_id=message_id,
        data={"status": status},
    )
