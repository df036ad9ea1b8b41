"""From raw events to the thread: the second, repeatable step after a transport stored them.

Events of one lane (a chat) are understood in order, lanes in parallel, by any number of processes.
What cannot be understood is quarantined with its reason and never blocks what comes after.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.config import Settings
from app.core.db import Database
from channels import adapters
from channels.base import Adapter, BadEvent, Event, InboundMessage
from dialogs import inbound_events, store
from dialogs.store import clean

log = structlog.get_logger()

MAX_ATTEMPTS = 5
LARGE = 64 * 1024


class Gateway(Protocol):
    """Where adapters of channels come from."""

    def known(self, channel_id: UUID) -> Adapter | None:
        """The adapter, when it was asked for a moment ago."""

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter: ...


@dataclass(frozen=True, slots=True)
class Raw:
    """A claimed raw event."""

    id: int
    channel_id: UUID
    lane: str
    payload: bytes
    attempts: int
    careful: bool = False
    """The second pass: some message of the event is stored already, by another raw event."""


DUE = """
select coalesce(
    (select now() from inbound where state = 'new' and next_attempt_at <= now() limit 1),
    (select min(next_attempt_at) from inbound where state = 'new'))
"""
"""When the next raw event may be taken."""

_CLAIM = """
select i.id, i.channel_id, i.lane, i.payload, i.attempts
from inbound i
where i.state = 'new' and i.next_attempt_at <= now()
  and {mine}
  and (i.lane = '' or not exists (
    select from inbound j
    where j.channel_id = i.channel_id and j.lane = i.lane and j.state = 'new' and j.id < i.id))
order by i.id
limit 1
for update of i skip locked
"""
_CLAIM_ANY = text(_CLAIM.format(mine="true"))
_CLAIM_SOME = text(
    _CLAIM.format(mine="i.channel_id not in (select id from channels where kind = any(:leave))")
)

_CLAIM_AGAIN = text("""
select id, channel_id, lane, payload, attempts, true
from inbound
where id = :id and state = 'new'
for update skip locked
""")

_SETTLE = text("""
update inbound
set state = :state, error = :error, done_at = now(), attempts = attempts + 1
where id = :id and state = 'new'
returning id
""")

_POSTPONE = text("""
update inbound
set attempts = attempts + 1, error = :error,
    state = case when attempts + 1 >= :most then 'quarantined' else 'new' end,
    next_attempt_at = now() + :pause
where id = :id and state = 'new' and attempts = :attempts
returning state, channel_id
""")


async def drain(db: Database, gateway: Gateway, settings: Settings) -> int:
    """Understand raw events until none is left that this process may take; returns how many."""
    count = 0
    while await turn(db, gateway, settings):
        count += 1
    return count


async def turn(
    db: Database,
    gateway: Gateway,
    settings: Settings,
    *,
    leave: Collection[str] = (),
    taken: Callable[[], None] | None = None,
) -> bool:
    """Understand one raw event; False when there is none to take. Survives whatever it holds.

    `leave`: kinds of channels that are left to others. `taken` is called when there was an event:
    there may be more, for somebody else.
    """
    raw: Raw | None = None
    try:
        async with db.transaction() as session:
            raw = await _claim(session, leave)
            if raw is None:
                return False
            if taken is not None:
                taken()
            await _understand(session, raw, gateway=gateway, settings=settings)
    except (store.Duplicate, asyncpg.UniqueViolationError):
        assert raw is not None
        await _carefully(db, raw, gateway=gateway, settings=settings)
    except Exception as error:
        if raw is None:
            raise
        await _refused(db, raw, error)
    return True


async def _carefully(db: Database, raw: Raw, *, gateway: Gateway, settings: Settings) -> None:
    """Once more, each message in a savepoint: what is stored already is left out."""
    try:
        async with db.transaction() as session:
            row = (await session.execute(_CLAIM_AGAIN, {"id": raw.id})).first()
            if row is not None:
                await _understand(session, Raw(*row), gateway=gateway, settings=settings)
    except Exception as error:
        await _refused(db, raw, error)


async def _refused(db: Database, raw: Raw, error: Exception) -> None:
    """What the database refuses it may take later; a mistake of ours stays one until it is mended.

    A broken connection says nothing about the event, which is as it was: the error goes on.
    """
    lost = asyncpg.InterfaceError | asyncpg.PostgresConnectionError | OSError
    if isinstance(error, lost) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        raise error
    name = type(getattr(error, "orig", None) or error).__name__
    if isinstance(error, SQLAlchemyError | asyncpg.PostgresError):
        await _postpone(db, raw, reason=f"The database refused it: {name}.")
        return
    log.error("inbound.failed", inbound_id=raw.id, channel_id=str(raw.channel_id), exc_info=error)
    async with db.transaction() as session:
        await _quarantine(session, raw, reason=f"It could not be carried out: {name}.")


async def _claim(session: AsyncSession, leave: Collection[str]) -> Raw | None:
    if leave:
        row = (await session.execute(_CLAIM_SOME, {"leave": list(leave)})).first()
    else:
        row = (await session.execute(_CLAIM_ANY)).first()
    return Raw(*row) if row else None


async def _understand(session: AsyncSession, raw: Raw, *, gateway: Gateway, settings: Settings) -> None:
    adapter = await gateway.adapter(session, raw.channel_id)
    try:
        events = await _parse(adapter, raw.payload)
    except BadEvent as error:
        await _quarantine(session, raw, reason=str(error))
        return
    except Exception as error:  # an adapter's mistake must not stop the channel
        log.exception("inbound.parse_failed", inbound_id=raw.id, channel_id=str(raw.channel_id))
        await _quarantine(session, raw, reason=f"The adapter failed: {type(error).__name__}.")
        return
    kept = False
    for event in events:
        kept |= await inbound_events.apply(session, event, raw=raw, settings=settings)
    if raw.careful or not _one_message(events):
        state = "done" if kept else "ignored"
        await session.execute(_SETTLE, {"id": raw.id, "state": state, "error": None})


async def _parse(adapter: Adapter, payload: bytes) -> list[Event]:
    """Large payloads (mails) in a thread: the event loop has others to serve meanwhile."""
    await adapters.prepare(adapter.kind)
    if len(payload) > LARGE:
        return await asyncio.to_thread(adapter.parse, payload)
    return adapter.parse(payload)


def _one_message(events: list[Event]) -> bool:
    """An event that is just a shown message was settled by the statement that stored it."""
    return len(events) == 1 and isinstance(events[0], InboundMessage) and not events[0].link_token


async def _quarantine(session: AsyncSession, raw: Raw, *, reason: str) -> None:
    values = {"id": raw.id, "state": "quarantined", "error": clean(reason)[:2000]}
    if await session.scalar(_SETTLE, values) is not None:
        await _tell(session, raw)


async def _postpone(db: Database, raw: Raw, *, reason: str) -> None:
    log.warning("inbound.postponed", inbound_id=raw.id, reason=reason)
    async with db.transaction() as session:
        # Another loop may have tried in between: one and the same trouble counts once.
        values = {"id": raw.id, "attempts": raw.attempts, "error": reason}
        values |= {"most": MAX_ATTEMPTS, "pause": pause(raw.attempts)}
        row = (await session.execute(_POSTPONE, values)).first()
        if row is not None and row.state == "quarantined":
            await _tell(session, raw)


def pause(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s … a minute."""
    return timedelta(seconds=min(60, 2**attempts))


async def _tell(session: AsyncSession, raw: Raw) -> None:
    await facts.record(
        session,
        "inbound.quarantined",
        actor=facts.SYSTEM,
        channel_id=raw.channel_id,
        data={"inbound_id": raw.id},
    )
