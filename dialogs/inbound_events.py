"""What each kind of inbound event does to the thread."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.config import Settings
from app.core.db import driver
from channels.base import (
    Echo,
    Edited,
    Event,
    Ignored,
    InboundMessage,
    Linked,
    Reachability,
    Receipt,
    Typing,
)
from dialogs import delivery, echoes, linking, message_keys, routing, store, uploads
from dialogs.models import Dialog, Identity, Message, MessageVersion
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
    stored = await _store(session, event, raw, route, customer_id)
    if stored is None:
        return True
    session.info["facts"] = True
    await uploads.adopt(session, event.files, message_id=stored.id, identity_id=stored.identity_id)
    return True


async def _store(
    session: AsyncSession, event: InboundMessage, raw: "Raw", route: Route, customer_id: UUID | None
) -> store.Stored | None:
    """None when it is stored already, in this very moment or before."""
    connection = await driver(session)
    try:
        async with connection.transaction():
            incoming = Incoming(event, route, inbound_id=raw.id, trace=raw.trace, customer_id=customer_id)
            return await store.store(connection, incoming)
    except store.Duplicate:
        return None


async def _find(session: AsyncSession, channel_id: UUID, chat: str, external_id: str) -> Message | None:
    found: Message | None = await session.scalar(
        select(Message)
        .where(Message.id == message_keys.named(channel_id, chat, external_id).scalar_subquery())
        .with_for_update()
    )
    return found


async def _edited(session: AsyncSession, event: Edited, raw: "Raw") -> bool:
    message = await _find(session, raw.channel_id, event.chat, event.external_id)
    new = clean(event.text)
    if message is None or message.text == new:
        return False
    session.add(MessageVersion(message_id=message.id, text=message.text))
    message.text = new
    message.edited_at = event.occurred_at or func.now()
    await session.execute(
        update(Dialog)
        .where(Dialog.id == message.dialog_id, Dialog.last_message_id == message.id)
        .values(preview=" ".join(new.split())[: store.PREVIEW])
    )
    await facts.record(
        session,
        "message.edited",
        actor=facts.Actor("customer"),
        customer_id=message.customer_id,
        dialog_id=message.dialog_id,
        message_id=message.id,
        channel_id=raw.channel_id,
    )
    return True


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
