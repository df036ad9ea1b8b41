"""To whom an answer goes: where the customer last wrote, or where the agent chooses."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Conflict, Invalid
from channels import registry
from channels.base import Capabilities
from channels.models import Channel
from dialogs.models import Dialog, Identity, Message


class Unreachable(Conflict):
    code, title = "identity_unreachable", "The customer has blocked us there; choose another channel."


class Target(NamedTuple):
    """Where a message goes; `chat` is empty when we write first."""

    channel_id: UUID
    identity_id: UUID
    chat: str | None


async def choose(
    session: AsyncSession, dialog: Dialog, *, channel_id: UUID | None, identity_id: UUID | None
) -> Target:
    """The target of an answer; raises `Invalid` or `Unreachable` when there is none such."""
    query = (
        select(Message.channel_id, Message.identity_id, Message.chat)
        .where(Message.customer_id == dialog.customer_id, Message.identity_id.is_not(None))
        .where(Message.direction == "in", Message.meta.has_key("participant").is_(False))
        .order_by(Message.seq.desc())
        .limit(1)
    )
    if channel_id is not None:
        query = query.where(Message.channel_id == channel_id)
    if identity_id is not None:
        query = query.where(Message.identity_id == identity_id)
    own = query.where(Message.meta.has_key("automatic").is_(False))  # an absence notice is no wish
    row = (await session.execute(own)).first() or (await session.execute(query)).first()
    target: Target = (
        Target._make(row) if row else await _first_contact(session, dialog, channel_id, identity_id)
    )
    identity = await session.get_one(Identity, target.identity_id)
    if identity.customer_id != dialog.customer_id:
        raise Invalid("`identity_id` must be a contact of this customer.")
    if not identity.reachable:
        raise Unreachable
    return target


async def _first_contact(
    session: AsyncSession, dialog: Dialog, channel_id: UUID | None, identity_id: UUID | None
) -> Target:
    """We write first, where the channel allows it."""
    channel = await session.get(Channel, channel_id or dialog.channel_id)
    if channel is None:
        raise Invalid("`channel_id` is not a channel.")
    identity = await _identity(session, dialog.customer_id, identity_id, kind=channel.kind)
    if identity is None:
        raise Invalid("The customer has no contact on this channel.")
    if not capabilities(channel.kind).can_initiate:
        raise Invalid("On this channel the customer has to write first.")
    return Target(channel.id, identity.id, None)


async def _identity(
    session: AsyncSession, customer_id: UUID, identity_id: UUID | None, *, kind: str
) -> Identity | None:
    query = select(Identity).where(Identity.customer_id == customer_id, Identity.kind == kind)
    if identity_id is not None:
        query = query.where(Identity.id == identity_id)
    found: Identity | None = await session.scalar(query.order_by(Identity.created_at.desc()).limit(1))
    return found


def capabilities(kind: str) -> Capabilities:
    return registry.load(kind).capabilities


def does_not_fit(kind: str, *, text: str, file_count: int, buttons: int = 0) -> str | None:
    """Why a message cannot go by a channel of `kind`, in one sentence; None when it can."""
    can = capabilities(kind)
    if file_count and not can.attachments:
        return "This channel cannot carry files."
    if file_count > can.max_attachments:
        return f"This channel carries at most {can.max_attachments} files in a message."
    if buttons > can.max_buttons:
        return f"This channel carries {can.max_buttons or 'no'} buttons below a message."
    return None
