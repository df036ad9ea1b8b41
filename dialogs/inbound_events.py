"""What each kind of inbound event does to the thread."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.config import Settings
from app.core.db import driver
from channels.base import (
    Deleted,
    Echo,
    Edited,
    Event,
    Ignored,
    InboundMessage,
    Linked,
    Reachability,
    Reaction,
    Receipt,
    Typing,
)
from dialogs import delivery, echoes, linking, message_keys, participants, rewriting, routing, store, uploads
from dialogs.acts import Act
from dialogs.models import Identity, Message
from dialogs.store import Incoming, Route, clean

if TYPE_CHECKING:
    from channels.inbound import Raw


async def apply(session: AsyncSession, event: Event, *, raw: "Raw", settings: Settings) -> bool:
    """Carry out one event; True when it meant something to us."""
    match event:
        case InboundMessage():
            return await _message(session, event, raw, settings)
        case Edited():
            return await _edited(session, event, raw)
        case Deleted():
            return await _deleted(session, event, raw)
        case Reaction():
            return await _reaction(session, event, raw)
        case Receipt():
            return await delivery.receipt(session, event, channel_id=raw.channel_id)
        case Reachability():
            return await _reachability(session, event, raw)
        case Linked():
            return await linking.link(
                session, event.token, sender=event.sender, channel_id=raw.channel_id, settings=settings
            )
        case Echo():
            return await echoes.apply(session, event, raw=raw)
        case Typing() | Ignored():
            return False


async def _message(session: AsyncSession, event: InboundMessage, raw: "Raw", settings: Settings) -> bool:
    route = await routing.route(session, raw.channel_id, settings)
    customer_id: UUID | None = None
    if event.link_token:
        customer_id = await linking.redeem(
            session, event.link_token, sender=event.sender, channel_id=raw.channel_id, kind=route.kind
        )
        if not event.text and not event.files:
            return customer_id is not None
    event, thread_of = await participants.join(session, event, channel_id=raw.channel_id)
    stored = await _store(session, event, raw, route, customer_id, thread_of)
    if stored is None:
        return True
    session.info["facts"] = True
    await uploads.adopt(session, event.files, message_id=stored.id, identity_id=stored.identity_id)
    if event.acknowledge:
        body = {"query": event.acknowledge}
        session.add(Act(kind="acknowledge", channel_id=raw.channel_id, message_id=stored.id, body=body))
    return True


async def _store(
    session: AsyncSession,
    event: InboundMessage,
    raw: "Raw",
    route: Route,
    customer_id: UUID | None,
    thread_of: UUID | None,
) -> store.Stored | None:
    """None when it is stored already, in this very moment or before."""
    connection = await driver(session)
    try:
        async with connection.transaction():
            incoming = Incoming(
                event,
                route,
                inbound_id=raw.id,
                trace=raw.trace,
                customer_id=customer_id,
                thread_of=thread_of,
            )
            return await store.store(connection, incoming)
    except store.Duplicate:
        return None


async def _find(session: AsyncSession, channel_id: UUID, chat: str, external_id: str) -> Message | None:
    """The message, locked, by the first or any other of its ids."""
    named = message_keys.any_name(channel_id, chat, external_id)
    message_id = await session.scalar(named.limit(1))
    return await rewriting.hold(session, message_id) if message_id is not None else None


async def _edited(session: AsyncSession, event: Edited, raw: "Raw") -> bool:
    message = await _find(session, raw.channel_id, event.chat, event.external_id)
    if message is None:
        return False
    new, meta = clean(event.text), store.cleaned(event.meta)
    if message.text == new and _as_it_was(message, meta or {}):
        return False
    await rewriting.rewrite(session, message, new, actor=_who(message), at=event.occurred_at, meta=meta)
    return True


def _as_it_was(message: Message, meta: dict[str, Any]) -> bool:
    return all((message.meta.get(name) or None) == (value or None) for name, value in meta.items())


async def _deleted(session: AsyncSession, event: Deleted, raw: "Raw") -> bool:
    found = [await _find(session, raw.channel_id, event.chat, id) for id in event.external_ids]
    for message in found:
        if message is not None:
            await rewriting.mark_deleted(session, message, actor=_who(message), at=event.occurred_at)
    return any(found)


async def _reaction(session: AsyncSession, event: Reaction, raw: "Raw") -> bool:
    message = await _find(session, raw.channel_id, event.chat, event.external_id)
    identity_id = await session.scalar(
        select(Identity.id).where(
            Identity.scope == (event.sender.scope or str(raw.channel_id)),
            Identity.external_id == clean(event.sender.external_id),
        )
    )
    if message is None or identity_id is None:
        return False
    emojis = [clean(emoji)[:50] for emoji in event.emojis[:20]]
    customer = facts.Actor("customer")
    await rewriting.react(session, message, emojis, by="customer", id=identity_id, actor=customer)
    return True


def _who(message: Message) -> facts.Actor:
    """Who changes a message on its platform: who wrote it."""
    return facts.SYSTEM if message.direction == "out" else facts.Actor("customer")


async def _reachability(session: AsyncSession, event: Reachability, raw: "Raw") -> bool:
    scope = event.sender.scope or str(raw.channel_id)
    changed = (
        await session.execute(
            update(Identity)
            .where(
                Identity.scope == scope,
                Identity.external_id == clean(event.sender.external_id),
                Identity.reachable != event.reachable,
            )
            .values(reachable=event.reachable)
            .returning(Identity.id, Identity.customer_id)
        )
    ).first()
    if changed is None:
        return False
    await facts.record(
        session,
        "identity.reachability",
        actor=facts.Actor("customer"),
        customer_id=changed.customer_id,
        channel_id=raw.channel_id,
        data={"identity_id": str(changed.id), "reachable": event.reachable},
    )
    return True
