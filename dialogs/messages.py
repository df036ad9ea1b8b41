"""Writing answers and notes; taking an answer back; sending a failed one again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import clock, facts
from app.core.config import Settings
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from dialogs import access, mailing, recipients, uploads, waiting
from dialogs.message_keys import ClientKey
from dialogs.models import Attachment, Dialog, DialogRead, Message
from dialogs.schemas import MessageNew
from dialogs.store import PREVIEW

MOST_QUEUED = 200
"""Answers of one dialog that may wait to leave: they leave one after the other."""


class DialogChanged(Conflict):
    code, title = "dialog_changed", "The customer has written since; read it, then send again."


class CannotCancel(Conflict):
    code, title = "cannot_cancel", "The message has left already."


class CannotResend(Conflict):
    code, title = "cannot_resend", "Only a message that failed or whose outcome is unknown can be sent again."


class TooManyQueued(TooMany):
    code, title = "too_many_queued", "So many answers of this dialog wait already; wait until some have left."


class CustomerHasDialog(Conflict):
    code, title = "customer_has_dialog", "The customer has another open dialog; write there."


class Reused(Conflict):
    code, title = "client_key_reused", "This `client_key` belongs to another message; make a new one."


async def post(
    session: AsyncSession, viewer: Viewer, dialog_id: UUID, new: MessageNew, *, settings: Settings
) -> UUID:
    """Queue an answer, or write a note; returns the message. The same `client_key` gives the same one."""
    dialog = await access.access_dialog(session, viewer, dialog_id, lock=True)
    found = await _by_key(session, viewer, new.client_key)
    if found is not None:
        if found.dialog_id != dialog_id:
            raise Reused
        return found.id
    if not new.text.strip() and not new.attachment_ids:
        raise Invalid("A message needs a text or a file.")
    if new.seen_seq is not None and new.direction == "out":
        await _nothing_new(session, dialog, new.seen_seq)
    message = Message(
        customer_id=dialog.customer_id,
        dialog_id=dialog.id,
        direction=new.direction,
        text=new.text,
        author_id=viewer.agent_id,
        client_key=new.client_key,
        reply_to_id=await _quoted(session, viewer, dialog, new.reply_to_id),
        meta=mailing.meta(new),
    )
    if new.direction == "out":
        await _need_room(session, dialog_id)
        target = await recipients.choose(
            session, dialog, channel_id=new.channel_id, identity_id=new.identity_id
        )
        await mailing.fits(session, target.channel_id, new)
        message.channel_id, message.identity_id, message.chat = target
        message.status = "queued"
        message.send_after = _leaves_at(new.send_after, settings)
    session.add(message)
    await session.flush()
    session.add(ClientKey(author_id=viewer.agent_id, client_key=new.client_key, message_id=message.id))
    await uploads.attach(session, viewer, new.attachment_ids, message_id=message.id)
    await mailing.pass_on(session, new, message_id=message.id)
    await _show(session, viewer, dialog, message)
    return message.id


def _leaves_at(asked: datetime | None, settings: Settings) -> datetime:
    if asked is not None and asked.tzinfo is None:
        raise Invalid("`send_after` needs a time zone, as in 2026-01-31T09:00:00Z.")
    return max(asked or clock.now(), clock.now() + settings.undo)


async def _need_room(session: AsyncSession, dialog_id: UUID) -> None:
    waiting = select(Message.id).where(
        Message.dialog_id == dialog_id, Message.status.in_(("queued", "sending"))
    )
    if await session.scalar(waiting.offset(MOST_QUEUED - 1).limit(1)) is not None:
        raise TooManyQueued(retry_after=60)


async def _by_key(session: AsyncSession, viewer: Viewer, client_key: str) -> Message | None:
    found: Message | None = await session.scalar(
        select(Message)
        .join(ClientKey, ClientKey.message_id == Message.id)
        .where(ClientKey.author_id == viewer.agent_id, ClientKey.client_key == client_key)
    )
    return found


async def _nothing_new(session: AsyncSession, dialog: Dialog, seen_seq: int) -> None:
    newer = await session.scalar(
        select(Message.id)
        .where(Message.customer_id == dialog.customer_id, Message.direction == "in", Message.seq > seen_seq)
        .limit(1)
    )
    if newer is not None:
        raise DialogChanged


async def _quoted(
    session: AsyncSession, viewer: Viewer, dialog: Dialog, reply_to_id: UUID | None
) -> UUID | None:
    if reply_to_id is None:
        return None
    try:
        found = await access.access_message(session, viewer, reply_to_id)
    except NotFound:
        found = None
    if found is None or found.customer_id != dialog.customer_id:
        raise Invalid("`reply_to_id` must be a message of this customer's thread.")
    return reply_to_id


async def _show(session: AsyncSession, viewer: Viewer, dialog: Dialog, message: Message) -> None:
    await session.refresh(message, ["seq", "created_at"])
    dialog.last_message_id, dialog.last_message_at = message.id, message.created_at
    dialog.last_direction, dialog.last_author_id = message.direction, viewer.agent_id
    dialog.preview = " ".join(message.text.split())[:PREVIEW] or await _first_kind(session, message.id)
    if message.direction == "out":
        dialog.waiting_since = None
        if dialog.first_response_at is None:
            dialog.first_response_at = message.created_at
            dialog.first_response_by = viewer.agent_id if dialog.inbound_count else None
        if dialog.status != "open":
            await _open(session, viewer, dialog)
    await mark_read(session, viewer, dialog, dialog.inbound_count)
    await facts.record(
        session,
        "message.created",
        actor=viewer.actor,
        customer_id=message.customer_id,
        dialog_id=message.dialog_id,
        message_id=message.id,
        channel_id=message.channel_id,
        data={"direction": message.direction, "seq": message.seq},
    )


async def _first_kind(session: AsyncSession, message_id: UUID) -> str:
    kind = await session.scalar(
        select(Attachment.kind).where(Attachment.message_id == message_id).order_by(Attachment.position)
    )
    return f"[{kind}]"


async def _open(session: AsyncSession, viewer: Viewer, dialog: Dialog) -> None:
    """Answering a snoozed or closed dialog opens it, unless the customer has another one open."""
    if dialog.status == "closed":
        other = await session.scalar(
            select(Dialog.id).where(Dialog.customer_id == dialog.customer_id, Dialog.status != "closed")
        )
        if other is not None:
            raise CustomerHasDialog(dialog_id=str(other))
    kind = "dialog.reopened" if dialog.status == "closed" else "dialog.woken"
    dialog.status, dialog.snoozed_until, dialog.closed_at, dialog.closed_by = "open", None, None, None
    await flush_open(session)
    await facts.record(session, kind, actor=viewer.actor, customer_id=dialog.customer_id, dialog_id=dialog.id)


async def flush_open(session: AsyncSession) -> None:
    """Flush a dialog that is no longer closed; raises `CustomerHasDialog` when another was quicker."""
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_dialogs_open" not in str(error.orig):
            raise
        raise CustomerHasDialog from None


async def mark_read(session: AsyncSession, viewer: Viewer, dialog: Dialog, inbound_count: int) -> bool:
    """The viewer has seen that many inbound messages; False when as many were seen before."""
    count = min(inbound_count, dialog.inbound_count)
    statement = insert(DialogRead).values(agent_id=viewer.agent_id, dialog_id=dialog.id, inbound_count=count)
    changed = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["agent_id", "dialog_id"],
            set_={"inbound_count": count},
            where=DialogRead.inbound_count < count,
        ).returning(DialogRead.inbound_count)
    )
    if changed is not None:
        await facts.record(
            session,
            "dialog.read",
            actor=viewer.actor,
            agent_id=viewer.agent_id,
            dialog_id=dialog.id,
            data={"inbound_count": count},
        )
    return changed is not None


async def cancel(session: AsyncSession, viewer: Viewer, message_id: UUID) -> None:
    """Take back an answer that has not left; raises `CannotCancel`."""
    message = await access.access_message(session, viewer, message_id)
    dialog = await access.access_dialog(session, viewer, message.dialog_id, lock=True)
    changed = await session.scalar(
        update(Message)
        .where(Message.id == message_id, Message.status == "queued")
        .values(status="cancelled", next_attempt_at=None)
        .returning(Message.id)
    )
    if changed is None:
        raise CannotCancel
    await waiting.recount(session, dialog.id)
    await facts.record(
        session,
        "message.cancelled",
        actor=viewer.actor,
        customer_id=message.customer_id,
        dialog_id=message.dialog_id,
        message_id=message_id,
    )


async def resend(session: AsyncSession, viewer: Viewer, message_id: UUID, *, settings: Settings) -> UUID:
    """Send a failed message again, as a new one; raises `CannotResend`.

    Asked twice, it gives the repeat that is on its way or has arrived.
    """
    old = await access.access_message(session, viewer, message_id)
    dialog = await access.access_dialog(session, viewer, old.dialog_id, lock=True)
    if old.direction != "out" or old.status not in ("failed", "unknown", "cancelled"):
        raise CannotResend
    if (repeated := await _repeated(session, old)) is not None:
        return repeated
    await _need_room(session, old.dialog_id)
    again = Message(
        customer_id=old.customer_id,
        dialog_id=old.dialog_id,
        channel_id=old.channel_id,
        identity_id=old.identity_id,
        chat=old.chat,
        direction="out",
        text=old.text,
        author_id=viewer.agent_id,
        reply_to_id=old.reply_to_id,
        status="queued",
        send_after=clock.now() + settings.undo,
        meta={"resent": str(old.id)} | ({"mail": old.meta["mail"]} if "mail" in old.meta else {}),
    )
    session.add(again)
    await session.flush()
    await uploads.copy(session, old.id, to=again.id)
    await _show(session, viewer, dialog, again)
    return again.id


async def _repeated(session: AsyncSession, old: Message) -> UUID | None:
    found: UUID | None = await session.scalar(
        select(Message.id)
        .where(
            Message.dialog_id == old.dialog_id,
            Message.meta["resent"].astext == str(old.id),
            Message.status.not_in(("cancelled", "failed", "unknown")),
        )
        .limit(1)
    )
    return found
