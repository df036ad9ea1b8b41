"""From raw events to the thread: the second, repeatable step after a transport stored them.

Events of one lane (a chat) are understood in order, lanes in parallel, by any number of processes.
Plain messages, nearly all there is, are stored several at a time on the hot path; whatever else there
is, and whatever the database refused, is carried out alone. What cannot be understood is quarantined
with its reason and never blocks what comes after.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import tracing
from app.core.config import Settings
from app.core.db import Database, Hot, RawConnection
from channels import adapters
from channels.base import Adapter, BadEvent, Event, Ignored, InboundMessage, Typing
from channels.inbound import Raw
from dialogs import inbound_claims, inbound_events, routing, store, uploads, whispers
from dialogs.inbound_claims import DUE
from dialogs.store import Incoming, Route

__all__ = ["DUE", "Gateway", "at_once", "drain", "turn"]

log = structlog.get_logger()

BATCH = 20
"""Events taken at a time when many wait: few enough to hold up nobody, many enough to share a commit."""
LARGE = 64 * 1024


class Gateway(Protocol):
    """Where adapters of channels come from."""

    def known(self, channel_id: UUID) -> Adapter | None:
        """The adapter, when it was asked for a moment ago."""

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter: ...


async def drain(db: Database, gateway: Gateway, settings: Settings) -> None:
    """Understand raw events until none is left that this process may take."""
    while await turn(db, gateway, settings):
        pass


async def turn(
    db: Database,
    gateway: Gateway,
    settings: Settings,
    *,
    leave: Collection[str] = (),
    taken: Callable[[], None] | None = None,
) -> bool:
    """Understand some raw events; False when there is none to take. Survives whatever they hold.

    `leave`: kinds of channels that are left to others. `taken` is called when there was an event:
    there may be more, for somebody else.
    """
    raws: list[Raw] = []
    typed: list[tuple[UUID, Typing]] = []
    try:
        async with db.hot() as hot:
            raws = await inbound_claims.claim(hot.connection, leave=leave, most=BATCH)
            if not raws:
                return False
            if taken is not None:
                taken()
            with tracing.span("inbox.turn", events=len(raws)):
                rest = await _together(db, hot, raws, typed, gateway=gateway, settings=settings)
    except Exception as error:
        if not raws or _lost(error):
            raise
        rest = raws
    for raw in rest:
        await _alone(db, raw.id, gateway=gateway, settings=settings)
    if typed:
        await whispers.tell(db, typed)
    return True


async def _together(
    db: Database,
    hot: Hot,
    raws: Sequence[Raw],
    typed: list[tuple[UUID, Typing]],
    *,
    gateway: Gateway,
    settings: Settings,
) -> list[Raw]:
    """Store the plain messages among the events, drop what means nothing; returns what is left to do.

    Raises whatever is wrong with one of them: then each is to be looked at alone. `typed`: takes who types.
    """
    plain: list[tuple[Raw, Incoming]] = []
    nothing: list[Raw] = []
    rest: list[Raw] = []
    waiting: set[tuple[UUID, str]] = set()
    for raw in raws:
        if (raw.channel_id, raw.lane) in waiting:
            continue  # it comes after something that is still to do
        events, incoming = await _read(db, raw, gateway=gateway, settings=settings)
        if all(isinstance(event, Ignored | Typing) for event in events):
            nothing.append(raw)
            typed += [(raw.channel_id, event) for event in events if isinstance(event, Typing)]
        elif incoming is not None:
            plain.append((raw, incoming))
        else:
            rest.append(raw)
            waiting.add((raw.channel_id, raw.lane))
    hot.facts = bool(await store.store_many(hot.connection, [incoming for _, incoming in plain]))
    inbound_claims.told([raw for raw, _ in plain], "done")
    await inbound_claims.ignore(hot.connection, nothing)
    return rest


async def _read(
    db: Database, raw: Raw, *, gateway: Gateway, settings: Settings
) -> tuple[list[Event], Incoming | None]:
    """What an event holds, and its message when storing that is all there is to do."""
    adapter, route = await _source(db, raw.channel_id, gateway=gateway, settings=settings)
    events = await _parse(adapter, raw.payload)
    message = _plain(events)
    if message is None:
        return events, None
    return events, Incoming(message, route, inbound_id=raw.id, trace=raw.trace, settles=True)


async def _source(
    db: Database, channel_id: UUID, *, gateway: Gateway, settings: Settings
) -> tuple[Adapter, Route]:
    adapter, route = gateway.known(channel_id), routing.known(channel_id, settings)
    if adapter is None or route is None:
        async with db.transaction() as session:
            adapter = await gateway.adapter(session, channel_id)
            route = await routing.route(session, channel_id, settings)
    return adapter, route


async def _parse(adapter: Adapter, payload: bytes) -> list[Event]:
    """Large payloads (mails) in a thread: the event loop has others to serve meanwhile."""
    await adapters.prepare(adapter.kind)
    if len(payload) > LARGE:
        return await asyncio.to_thread(adapter.parse, payload)
    return adapter.parse(payload)


def _plain(events: list[Event]) -> InboundMessage | None:
    """The event's only message, when storing it is all there is to do."""
    if len(events) != 1 or not isinstance(events[0], InboundMessage):
        return None
    message = events[0]
    more = message.link_token or message.acknowledge or message.references or uploads.named(message.files)
    return None if more else message


async def at_once(
    db: Database, connection: RawConnection, raws: Sequence[Raw], *, gateway: Gateway, settings: Settings
) -> bool:
    """Understand events that this process stored a moment ago, in one round trip, without taking them.

    Only plain messages whose turn it is. False when something is left, for a turn to take.
    """
    read = [await _readable(db, raw, gateway=gateway, settings=settings) for raw in raws]
    try:
        stored = await store.store_many(connection, [incoming for incoming in read if incoming is not None])
    except Exception as error:  # the turn that takes it meets the same, and deals with it
        log.info("inbound.not_at_once", reason=type(error).__name__)
        return False
    if stored:
        db.bell.ring()
    if len(stored) == len(raws):
        inbound_claims.told(raws, "done")
    return len(stored) == len(raws)


async def _readable(db: Database, raw: Raw, *, gateway: Gateway, settings: Settings) -> Incoming | None:
    """The event's message, when storing that is all there is to do and nothing is wrong with it."""
    try:
        _, incoming = await _read(db, raw, gateway=gateway, settings=settings)
    except Exception as error:
        log.info("inbound.not_at_once", inbound_id=raw.id, reason=type(error).__name__)
        return None
    return incoming


# --- one at a time --------------------------------------------------------------------------


async def _alone(db: Database, inbound_id: int, *, gateway: Gateway, settings: Settings) -> None:
    raw: Raw | None = None
    try:
        async with db.transaction() as session:
            raw = await inbound_claims.claim_one(session, inbound_id)
            if raw is not None:
                await _understand(session, raw, gateway=gateway, settings=settings)
    except Exception as error:
        if raw is None or _lost(error):
            raise
        await _refused(db, raw, error)


async def _understand(session: AsyncSession, raw: Raw, *, gateway: Gateway, settings: Settings) -> None:
    adapter = await gateway.adapter(session, raw.channel_id)
    try:
        events = await _parse(adapter, raw.payload)
    except BadEvent as error:
        await inbound_claims.quarantine(session, raw, reason=str(error))
        return
    except Exception as error:  # an adapter's mistake must not stop the channel
        log.exception("inbound.parse_failed", **_named(raw))
        reason = f"The adapter failed: {type(error).__name__}."
        await inbound_claims.quarantine(session, raw, reason=reason)
        return
    kept = False
    for event in events:
        kept |= await inbound_events.apply(session, event, raw=raw, settings=settings)
    await inbound_claims.settle(session, raw, kept=kept)


async def _refused(db: Database, raw: Raw, error: Exception) -> None:
    """What the database refuses it may take later; a mistake of ours stays one until it is mended."""
    name = type(getattr(error, "orig", None) or error).__name__
    if isinstance(error, SQLAlchemyError | asyncpg.PostgresError):
        await inbound_claims.postpone(db, raw, reason=f"The database refused it: {name}.")
        return
    log.error("inbound.failed", **_named(raw), exc_info=error)
    async with db.transaction() as session:
        await inbound_claims.quarantine(session, raw, reason=f"It could not be carried out: {name}.")


def _named(raw: Raw) -> dict[str, object]:
    return {"inbound_id": raw.id, "trace": raw.trace, "channel_id": str(raw.channel_id)}


def _lost(error: Exception) -> bool:
    """A broken connection or a full server says nothing about the events, which are as they were."""
    if str(getattr(getattr(error, "orig", error), "sqlstate", None)).startswith("53"):
        return True
    lost = asyncpg.InterfaceError | asyncpg.PostgresConnectionError | OSError
    return isinstance(error, lost) or (isinstance(error, DBAPIError) and error.connection_invalidated)
