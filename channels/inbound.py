"""Raw events: storing them before anybody tries to understand them, listing and replaying bad ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import metrics
from app.core.clock import now
from app.core.db import RawConnection, RawPool, driver
from app.core.errors import Conflict, NotFound
from channels.base import RawEvent
from channels.models import Inbound, InboundKey

_MAX_KEY = 500  # an index entry holds 2,700 bytes
_STORED = metrics.counter("inbound_stored", "Raw events stored.")
_DUPLICATES = metrics.counter("inbound_duplicates", "Raw events that were there already.")
# The keys say what is new: they are one table, whatever months the events lie in. All insert them in one
# order, so that processes which get the same events at the same time wait for each other, not in a ring.
_STORE = """
with given as materialized (
    select nextval('inbound_id_seq') as id, event.*
    from (select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[])
          with ordinality as listed (channel_id, key, lane, payload, trace, position) order by position) event
),
fresh as (
    insert into inbound_keys (channel_id, key, inbound_id)
    select channel_id, key, id from given order by channel_id, key, id
    on conflict do nothing
    returning inbound_id
)
insert into inbound (id, channel_id, key, lane, payload, trace) overriding system value
select id, channel_id, key, lane, payload, trace from given join fresh on inbound_id = id order by id
returning id, channel_id, key
"""


@dataclass(frozen=True, slots=True)
class Given:
    """What one call or one pull of a channel brought. `trace`: the request it came with."""

    channel_id: UUID
    events: Sequence[RawEvent]
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A stored raw event."""

    id: int
    channel_id: UUID
    lane: str
    payload: bytes
    attempts: int = 0
    trace: str | None = None
    """The request that brought it."""
    age: float = 0.0
    """Seconds from its storing until it was taken."""
    since: float = field(default_factory=monotonic)
    """When it was taken, by the clock of `time.monotonic`."""


async def store(session: AsyncSession, channel_id: UUID, events: Sequence[RawEvent]) -> list[int]:
    """Store events in their order; returns the ids of those that were not there yet."""
    return [raw.id for raw in await store_raw(await driver(session), channel_id, events)]


async def store_raw(
    connection: RawConnection | RawPool, channel_id: UUID, events: Sequence[RawEvent]
) -> list[Raw]:
    """Store events in their order, with one statement; returns those that were not there yet."""
    trace = structlog.contextvars.get_contextvars().get("request_id")
    (raws,) = await store_given(connection, [Given(channel_id, events, trace)])
    return raws


async def store_given(
    connection: RawConnection | RawPool, given: Sequence[Given], *, patience: float | None = None
) -> list[list[Raw]]:
    """Store what several calls brought, in their order and with one statement; returns of each what was not
    there yet. Of the same event in two of them the first has it. `patience`: seconds to wait for it."""
    rows = [_row(one, event) for one in given for event in one.events]
    if not rows:
        return [[] for _ in given]
    found = await connection.fetch(_STORE, *map(list, zip(*rows, strict=True)), timeout=patience)
    _STORED.inc(len(found))
    _DUPLICATES.inc(len(rows) - len(found))
    stored: list[list[Raw]] = [[] for _ in given]
    owners = [number for number, one in enumerate(given) for _ in one.events]
    first = {row[:2]: place for place, row in reversed(list(enumerate(rows)))}
    for id, channel_id, key in found:
        place = first[channel_id, key]
        _, _, lane, payload, trace = rows[place]
        stored[owners[place]].append(Raw(id, channel_id, lane, payload, trace=trace))
    return stored


def _row(given: Given, event: RawEvent) -> tuple[UUID, str, str, bytes, str | None]:
    return given.channel_id, _short(event.key), _short(event.lane), event.payload, given.trace


_WAITING = text("select 1 from inbound where state = 'new' order by id offset :count limit 1")


async def waiting(session: AsyncSession, *, at_least: int) -> bool:
    """Whether so many events are still to be understood."""
    return (await session.execute(_WAITING, {"count": at_least - 1})).first() is not None


async def find(session: AsyncSession, *, channel_id: UUID, key: str) -> Inbound | None:
    """The event with the platform's id `key`."""
    return await session.scalar(
        select(Inbound)
        .join(InboundKey, InboundKey.inbound_id == Inbound.id)
        .where(InboundKey.channel_id == channel_id, InboundKey.key == _short(key))
    )


def _short(value: str) -> str:
    """Storable and short enough for an index, and still the same for the same value."""
    clean = value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    if len(clean) <= _MAX_KEY:
        return clean
    return f"{clean[:100]}…{hashlib.sha256(clean.encode()).hexdigest()}"


async def get(session: AsyncSession, inbound_id: int, *, lock: bool = False) -> Inbound:
    """The event of that number; raises `NotFound`."""
    query = select(Inbound).where(Inbound.id == inbound_id)
    query = query.with_for_update() if lock else query
    event = await session.scalar(query) if 0 < inbound_id < 2**63 else None
    if event is None:
        raise NotFound
    return event


async def list_some(
    session: AsyncSession, *, state: str = "quarantined", before: int | None = None, limit: int = 50
) -> list[Inbound]:
    """Events of a state, the newest first, older than `before`."""
    query = select(Inbound).where(Inbound.state == state).order_by(Inbound.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Inbound.id < before)
    return list(await session.scalars(query))


async def replay(session: AsyncSession, inbound_id: int) -> Inbound:
    """Try to understand a quarantined (or ignored) event again; it is harmless to do so twice."""
    event = await get(session, inbound_id, lock=True)
    if event.state == "done":
        raise Conflict("This event was understood already.")
    event.state, event.attempts, event.error, event.next_attempt_at = "new", 0, None, now()
    event.done_at = None
    return event
