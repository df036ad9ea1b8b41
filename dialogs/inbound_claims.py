"""Raw events as a queue: taking them, settling them, putting them off. The SQL of `dialogs.inbox`.

Whoever holds the first unsettled event of a lane (its row lock) holds the lane: nobody else takes
what follows in it.
"""

import logging
import time
from collections.abc import Collection, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts, metrics
from app.core.db import Database, RawConnection
from channels.inbound import Raw
from dialogs.store import clean

log = structlog.get_logger()

MAX_ATTEMPTS = 5
_UNDERSTOOD = metrics.counter("inbound_understood", "Raw events, by what became of them.", "result")
_SECONDS = metrics.histogram(
    "inbound_seconds", "From the storing of a raw event until it was understood.", bounds=metrics.SLOW
)


DUE = """
select coalesce(
    (select now() from inbound where state = 'new' and next_attempt_at <= now() limit 1),
    (select min(next_attempt_at) from inbound where state = 'new'))
"""
"""When the next raw event may be taken."""

_FIRST_OF_LANE = """(i.lane = '' or not exists (
    select from inbound j
    where j.channel_id = i.channel_id and j.lane = i.lane and j.state = 'new' and j.id < i.id))"""

_AGE = "extract(epoch from now() - i.received_at)::float8 as age"

_CLAIM = f"""
with heads as (
    select i.id, i.channel_id, i.lane, i.payload, i.attempts, i.trace, {_AGE}
    from inbound i
    where i.state = 'new' and i.next_attempt_at <= now()
      and i.channel_id not in (select id from channels where kind = any($2::text[]))
      and {_FIRST_OF_LANE}
    order by i.id
    limit $1
    for update of i skip locked
)
select * from heads
union all
select f.* from heads h cross join lateral (
    select i.id, i.channel_id, i.lane, i.payload, i.attempts, i.trace, {_AGE}
    from inbound i
    where h.lane <> '' and i.channel_id = h.channel_id and i.lane = h.lane and i.state = 'new' and i.id > h.id
      and i.next_attempt_at <= now()
    order by i.id
    limit $1 - 1) f
order by id
limit $1
"""  # noqa: S608 - constants only

_CLAIM_ONE = text(f"""
select i.id, i.channel_id, i.lane, i.payload, i.attempts, i.trace, {_AGE}
from inbound i
where i.id = :id and i.state = 'new' and i.next_attempt_at <= now() and {_FIRST_OF_LANE}
for update of i skip locked
""")  # noqa: S608

_IGNORE = """
update inbound set state = 'ignored', done_at = now(), attempts = attempts + 1
where id = any($1::bigint[]) and state = 'new'
"""

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


async def claim(connection: RawConnection, *, leave: Collection[str], most: int) -> list[Raw]:
    """At most `most` events, in their order: of each lane its first ones without a gap."""
    return [Raw(*row) for row in await connection.fetch(_CLAIM, most, list(leave))]


async def claim_one(session: AsyncSession, inbound_id: int) -> Raw | None:
    """The event, when it is its lane's turn and nobody else has it."""
    row = (await session.execute(_CLAIM_ONE, {"id": inbound_id})).first()
    return Raw(*row) if row else None


async def ignore(connection: RawConnection, raws: Sequence[Raw]) -> None:
    """They mean nothing to us."""
    if raws:
        await connection.execute(_IGNORE, [raw.id for raw in raws])
        told(raws, "ignored")


async def settle(session: AsyncSession, raw: Raw, *, kept: bool) -> None:
    """It was carried out; `kept`: and meant something."""
    state = "done" if kept else "ignored"
    await session.execute(_SETTLE, {"id": raw.id, "state": state, "error": None})
    told([raw], state)


async def quarantine(session: AsyncSession, raw: Raw, *, reason: str) -> None:
    """Put it aside until somebody has looked at it."""
    values = {"id": raw.id, "state": "quarantined", "error": clean(reason)[:2000]}
    if await session.scalar(_SETTLE, values) is not None:
        told([raw], "quarantined")
        await _tell(session, raw)


async def postpone(db: Database, raw: Raw, *, reason: str) -> None:
    """Try it again later, a few times."""
    log.warning("inbound.postponed", inbound_id=raw.id, trace=raw.trace, reason=reason)
    async with db.transaction() as session:
        # Another loop may have tried in between: one and the same trouble counts once.
        values = {"id": raw.id, "attempts": raw.attempts, "error": reason}
        values |= {"most": MAX_ATTEMPTS, "pause": pause(raw.attempts)}
        row = (await session.execute(_POSTPONE, values)).first()
        if row is not None and row.state == "quarantined":
            await _tell(session, raw)


def told(raws: Sequence[Raw], result: str) -> None:
    """Count what became of events, and name them in the log where that is wanted."""
    _UNDERSTOOD.labels(result).inc(len(raws))
    now = time.monotonic()
    for raw in raws:
        _SECONDS.observe(raw.age + now - raw.since)
    if logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        for raw in raws:
            log.debug("inbound.understood", inbound_id=raw.id, trace=raw.trace, result=result)


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
