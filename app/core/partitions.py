"""Months of the tables that grow: made ahead, told from one another, dropped.

Which tables these are is asked from the database. A row whose month has no partition goes to the
table's default one, so that nothing is ever refused for want of a partition.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database

log = structlog.get_logger()

AHEAD = 3
"""Months made ahead: nobody has to keep house for that long."""
_NAME = re.compile(r"^(.+)_(?:(\d{4})_(\d{2})|default)$")

_TABLES = text("""
select c.relname as name, format_type(a.atttypid, null) as key
from pg_partitioned_table p
join pg_class c on c.oid = p.partrelid
join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
where p.partstrat = 'r' and c.relnamespace = current_schema()::regnamespace
order by c.relname
""")
_PARTITIONS = text("""
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = cast(:table as regclass) order by c.relname
""")


@dataclass(frozen=True, slots=True)
class Partition:
    """A month of a table."""

    table: str
    start: datetime

    @property
    def name(self) -> str:
        return f"{self.table}_{self.start:%Y_%m}"

    @property
    def end(self) -> datetime:
        return later(self.start, 1)


def month(at: datetime) -> datetime:
    """When the month of a time began."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def later(start: datetime, months: int) -> datetime:
    """The beginning of another month, so many later (or earlier)."""
    count = start.year * 12 + start.month - 1 + months
    return start.replace(year=count // 12, month=count % 12 + 1)


def first_id(at: datetime) -> UUID:
    """The smallest UUIDv7 of a time: an id begins with its millisecond."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def is_partition(table: str) -> bool:
    """Whether a table of this name is a part of another one."""
    return _NAME.match(table) is not None


async def make(db: Database, *, now: datetime, since: datetime | None = None) -> int:
    """Make the months from that of `since` (or `now`) to some ahead of `now`; returns how many were new.

    What cannot be made now, because the table is busy, is made another time.
    """
    first, last = month(since or now), later(month(now), AHEAD)
    async with db.transaction() as session:
        tables = (await session.execute(_TABLES)).all()
        missing = [
            (Partition(name, start), key)
            for name, key in tables
            for start in _from_to(first, last)
            if Partition(name, start).name not in await _names(session, name)
        ]
    return sum([await _made(db, partition, key) for partition, key in missing])


def _from_to(first: datetime, last: datetime) -> list[datetime]:
    found = [first]
    while found[-1] < last:
        found.append(later(found[-1], 1))
    return found


async def _names(session: AsyncSession, table: str) -> set[str]:
    return set(await session.scalars(_PARTITIONS, {"table": table}))


async def _made(db: Database, partition: Partition, key: str) -> bool:
    start, end = (
        first_id(at) if key == "uuid" else at.isoformat() for at in (partition.start, partition.end)
    )
    try:
        async with db.transaction() as session:
            await _seize(session, partition.table)
            made = f"create table if not exists {partition.name} partition of {partition.table} "
            await session.execute(text(f"{made} for values from ('{start}') to ('{end}')"))
    except DBAPIError as error:  # busy, or rows of that month lie in the default partition and stay there
        log.warning("partitions.not_made", partition=partition.name, reason=type(error.orig).__name__)
        return False
    return True


async def older(session: AsyncSession, table: str, *, than: datetime) -> list[Partition]:
    """Months of a table that were over before a time, the oldest first."""
    found = [_NAME.match(name) for name in sorted(await _names(session, table))]
    starts = [datetime(int(m[2]), int(m[3]), 1, tzinfo=UTC) for m in found if m and m[2]]
    return [Partition(table, start) for start in starts if later(start, 1) <= than]


async def detach(session: AsyncSession, partition: Partition) -> None:
    """Take a month out of its table, which nobody else can use until the end of the transaction."""
    await _seize(session, partition.table)
    await session.execute(text(f"alter table {partition.table} detach partition {partition.name}"))


async def drop(session: AsyncSession, partition: Partition) -> None:
    """Drop a month that was taken out of its table."""
    await session.execute(text(f"drop table {partition.name}"))


async def _seize(session: AsyncSession, table: str) -> None:
    """Raises when the table is not to be had at once: behind whoever waits for that lock all others wait."""
    await session.execute(text("set local lock_timeout = '500ms'"))
    await session.execute(text(f"lock table {table} in access exclusive mode"))
