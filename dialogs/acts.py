"""What agents ask of a platform beside sending: changing and taking back messages, reactions, read marks.

An act is queued and carried out by `dialogs.acting`; until then, and when it was refused, it stands on its
message. Notes, and answers that have not left, are changed at once: no platform has them.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.agents.viewer import Viewer
from app.core import clock
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.schema import Base, created, one_of
from channels.acts import ActKind
from channels.base import Capabilities
from channels.models import Channel
from channels.text import units
from dialogs import access, recipients, rewriting
from dialogs.models import Attachment, Message

KINDS = ("edit", "delete", "react", "read", "acknowledge")
STATES = ("queued", "failed")
SENT = ("sent", "delivered", "read")


class Act(Base):
    """Something to be done with a message on its platform. Gone when it is done."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    message_id: Mapped[UUID] = mapped_column(index=True)
    agent_id: Mapped[UUID | None]
    body: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """`text` of an edit, `emoji` of a reaction, `query` and `sender` of a pressed button."""
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[created]
    """While it is being done: when whoever does it is taken for dead."""
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    created_at: Mapped[created]

    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint(one_of("state", STATES), name="state"),
        Index("ix_acts_due", "next_attempt_at", postgresql_where=text("state = 'queued'")),
    )


class CannotChange(Conflict):
    code, title = "cannot_change", "This message cannot be changed or taken back."


async def edit(session: AsyncSession, viewer: Viewer, message_id: UUID, new: str) -> None:
    """Change what a message of ours says; on its platform too, when it is there."""
    message = await _ours(session, viewer, message_id)
    if not new.strip() and not await _has_files(session, message_id):
        raise Invalid("A message needs a text or a file.")
    if message.text == new and not await _queued(session, message_id, "edit"):
        return
    if message.direction == "note" or message.status == "queued":
        await rewriting.rewrite(session, message, new, actor=viewer.actor)
        return
    can = await _able(session, message, "edit", within="edit_within")
    if units(new) > can.max_text:
        raise Invalid(f"A changed message may have {can.max_text} characters at most: it cannot be split.")
    await _ask(session, viewer, message, "edit", {"text": new})


async def take_back(session: AsyncSession, viewer: Viewer, message_id: UUID) -> None:
    """Delete a note, or an answer on its platform."""
    message = await _ours(session, viewer, message_id)
    if message.direction == "note":
        await rewriting.mark_deleted(session, message, actor=viewer.actor)
        return
    await _able(session, message, "delete", within="delete_within")
    await _ask(session, viewer, message, "delete", {})


async def react(session: AsyncSession, viewer: Viewer, message_id: UUID, emoji: str) -> None:
    """React to a message on its platform; an empty `emoji` takes the reaction back."""
    message = await access.access_message(session, viewer, message_id)
    can = await _able(session, message, "react")
    if emoji and can.emojis and emoji not in can.emojis:
        raise Invalid(f"On this channel one reacts with: {' '.join(can.emojis)}")
    await _ask(session, viewer, message, "react", {"emoji": emoji})


async def read(session: AsyncSession, dialog_id: UUID) -> None:
    """Let the platform of the dialog's newest message of the customer know that it was read."""
    message = await session.scalar(
        select(Message)
        .where(Message.dialog_id == dialog_id, Message.direction == "in")
        .order_by(Message.seq.desc())
        .limit(1)
    )
    if message is None or "read" not in (await _capabilities(session, message)).acts:
        return
    if not await _queued(session, message.id, "read"):
        session.add(Act(kind="read", channel_id=message.channel_id, message_id=message.id))


async def dismiss(session: AsyncSession, viewer: Viewer, message_id: UUID, kind: ActKind) -> None:
    """Forget what was refused."""
    message = await access.access_message(session, viewer, message_id)
    refused = (Act.message_id == message_id, Act.kind == kind, Act.state == "failed")
    if (await session.execute(delete(Act).where(*refused).returning(Act.id))).first():
        await _tell(session, message, kind, "dismissed", viewer)


async def _ours(session: AsyncSession, viewer: Viewer, message_id: UUID) -> Message:
    await access.access_message(session, viewer, message_id)
    message = await rewriting.hold(session, message_id)
    if message is None or message.direction not in ("out", "note"):
        raise CannotChange("Only answers and notes are changed or taken back.")
    if message.author_id != viewer.agent_id and viewer.role not in ("lead", "admin"):
        raise Forbidden("Only its author, a lead or an administrator may do this.")
    if message.deleted_at is not None:
        raise CannotChange("This message has been deleted.")
    return message


async def _able(
    session: AsyncSession, message: Message, kind: ActKind, *, within: str | None = None
) -> Capabilities:
    """What the message's channel can do; raises `CannotChange` when it cannot do this."""
    if message.direction == "out" and message.status not in SENT:
        raise CannotChange("The message is not on its platform; wait until it is sent, or send it again.")
    if not message.external_id or message.direction not in ("in", "out"):
        raise CannotChange("The platform does not know this message.")
    can = await _capabilities(session, message)
    if kind not in can.acts:
        raise CannotChange("This channel cannot do that.")
    window: timedelta | None = getattr(can, within) if within else None
    if window is not None and clock.now() - (message.sent_at or message.created_at) > window:
        raise CannotChange(f"The platform allows this for {int(window.total_seconds() // 3600)} hours only.")
    return can


async def _capabilities(session: AsyncSession, message: Message) -> Capabilities:
    kind = await session.scalar(select(Channel.kind).where(Channel.id == message.channel_id))
    return recipients.capabilities(kind) if kind else Capabilities(inbound=frozenset(), max_text=0)


async def _ask(
    session: AsyncSession, viewer: Viewer, message: Message, kind: ActKind, body: dict[str, Any]
) -> None:
    """Queue it. What was asked before and is not begun, or was refused, has no more meaning."""
    over = (Act.state == "failed") | (Act.attempts == 0)
    await session.execute(delete(Act).where(Act.message_id == message.id, Act.kind == kind, over))
    session.add(
        Act(
            kind=kind,
            channel_id=message.channel_id,
            message_id=message.id,
            agent_id=viewer.agent_id,
            body=body,
        )
    )
    await _tell(session, message, kind, "queued", viewer)


async def _tell(session: AsyncSession, message: Message, kind: ActKind, state: str, viewer: Viewer) -> None:
    data = {"kind": kind, "state": state}
    await rewriting.tell(session, message, "message.act", actor=viewer.actor, data=data)


async def _has_files(session: AsyncSession, message_id: UUID) -> bool:
    query = select(Attachment.id).where(Attachment.message_id == message_id)
    return await session.scalar(query.limit(1)) is not None


async def _queued(session: AsyncSession, message_id: UUID, kind: ActKind) -> bool:
    query = select(Act.id).where(Act.message_id == message_id, Act.kind == kind, Act.state == "queued")
    return await session.scalar(query.limit(1)) is not None
