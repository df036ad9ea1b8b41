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
# The keys say what is new: they are one table, whatever months the events lie in.
_STORE = """
with given as materialized (
    select nextval('inbound_id_seq') as id, event.key, event.lane, event.payload
    from (select * from unnest($2::text[], $3::text[], $4::bytea[])
          with ordinality as listed (key, lane, payload, position) order by position) event
),
fresh as (
    insert into inbound_keys (channel_id, key, inbound_id)
    select $1, key, id from given order by id
    on conflict do nothing
    returning inbound_id
)
insert into inbound (id, channel_id, key, lane, payload, trace) overriding system value
select id, $1, key, lane, payload, $5 from given join fresh on inbound_id = id order by id
returning id, key
"""


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
    if not events:
        return []
    by_key = {_short(event.key): event for event in events}
    lanes = [_short(event.lane) for event in events]
    payloads = [event.payload for event in events]
    keys = [_short(event.key) for event in events]
    trace = structlog.contextvars.get_contextvars().get("request_id")
    rows = await connection.fetch(_STORE, channel_id, keys, lanes, payloads, trace)
    if trace is not None:  # the request's line in the log names what it brought
        structlog.contextvars.bind_contextvars(inbound_ids=[row["id"] for row in rows])
    _STORED.inc(len(rows))
    _DUPLICATES.inc(len(events) - len(rows))
    found = ((row["id"], by_key[row["key"]]) for row in rows)
    return [Raw(id, channel_id, _short(event.lane), event.payload, trace=trace) for id, event in found]


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
