"""Whose thread a mail belongs to that names earlier ones; somebody else's joins it as a participant's."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from channels.base import InboundMessage
from dialogs.message_keys import MessageAlias
from dialogs.models import Identity, Message
from dialogs.store import clean

MAX_REFERENCES = 50


async def join(
    session: AsyncSession, event: InboundMessage, *, channel_id: UUID
) -> tuple[InboundMessage, UUID | None]:
    """The message with `threaded_by`, and the customer whose thread it joins when it is not his own.

    The first id that we know decides. A stranger gets no part of the customer's record: his contact is his
    own, his message is marked, and answers go to the customer unless an agent chooses otherwise.
    """
    signed = set(event.meta.get("signed", ()))
    meta = {name: value for name, value in event.meta.items() if name != "signed"}
    found = await _named(session, event.references[:MAX_REFERENCES], channel_id)
    if found is None:
        return replace(event, meta=meta), None
    alias, direction, customer_id = found
    meta["threaded_by"] = "token" if alias in signed else "message-id" if direction == "out" else "reference"
    own = await session.scalar(
        select(Identity.customer_id).where(
            Identity.scope == (event.sender.scope or str(channel_id)),
            Identity.external_id == clean(event.sender.external_id),
        )
    )
    if own == customer_id:
        return replace(event, meta=meta), None
    meta["participant"] = {"name": event.sender.name, "email": event.sender.external_id}
    return replace(event, meta=meta), customer_id


async def _named(
    session: AsyncSession, references: list[str], channel_id: UUID
) -> tuple[str, str, UUID] | None:
    """The first of the ids that names a message of this channel: id, direction, customer."""
    if not references:
        return None
    cleaned = [clean(one) for one in references]
    rows = await session.execute(
        select(MessageAlias.alias, Message.direction, Message.customer_id)
        .join(Message, Message.id == MessageAlias.message_id)
        .where(MessageAlias.channel_id == channel_id, MessageAlias.alias.in_(cleaned))
    )
    known = {row.alias: row for row in rows}
    found = next((known[one] for one in cleaned if one in known), None)
    return (found.alias, found.direction, found.customer_id) if found is not None else None
