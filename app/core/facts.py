"""The log: writing facts in the transaction of their change, reading them once, in one order, without gaps.

A bigserial cursor loses facts under concurrent writers: ids are drawn in one order and committed
in another. So a row carries the id of its transaction, the cursor is `(xid, id)`, and a reader goes
no further than the oldest transaction still running.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import partitions
from app.core.db import RawConnection, RawPool
from app.core.errors import Conflict
from app.core.models import Fact
from app.core.partitions import Partition

ActorKind = Literal["agent", "customer", "system"]


class Resync(Conflict):
    """The cursor is of another log (a restored backup), too old, or no cursor: take the state again."""

    code, title = "resync", "This cursor cannot be continued; read /api/v1/sync and start from its cursor."


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it."""

    kind: ActorKind
    id: UUID | None = None


SYSTEM = Actor("system")


class Position(NamedTuple):
    """A place in the log."""

    xid: int
    id: int


async def record(
    session: AsyncSession,
    type: str,
    *,
    actor: Actor,
    customer_id: UUID | None = None,
    dialog_id: UUID | None = None,
    message_id: UUID | None = None,
    task_id: UUID | None = None,
    channel_id: UUID | None = None,
    agent_id: UUID | None = None,
    team_id: UUID | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Append one fact to the log, in the caller's transaction. `data` holds ids and small values only."""
    await session.execute(
        insert(Fact).values(
            type=type,
            actor_kind=actor.kind,
            actor_id=actor.id,
            customer_id=customer_id,
            dialog_id=dialog_id,
            message_id=message_id,
            task_id=task_id,
            channel_id=channel_id,
            agent_id=agent_id,
            team_id=team_id,
            data=data or {},
        )
    )
    session.info["facts"] = True


@dataclass(frozen=True, slots=True)
class Row:
    """A fact as the reader hands it on."""

    position: Position
    type: str
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    ids: dict[str, UUID]
    """The ids that are set: `customer_id`, `dialog_id`, …"""
    data: dict[str, Any]


_IDS = ("customer_id", "dialog_id", "message_id", "task_id", "channel_id", "agent_id", "team_id")

_COLUMNS = f"xid::text::bigint as xid, id, type, at, actor_kind, actor_id, {', '.join(_IDS)}, data"

_READ = f"""
(select {_COLUMNS}, false as hidden from facts
 where (xid, id) > ($1::text::xid8, $2::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
 order by facts.xid, facts.id
 limit $3)
union all
(select {_COLUMNS}, true from facts
 where xid >= pg_snapshot_xmin(pg_current_snapshot())
 order by facts.xid
 limit 1)
"""  # noqa: S608 - constants only

_HEAD = """
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin
"""


async def read(connection: RawConnection | RawPool, after: Position, *, limit: int = 500) -> list[Row]:
    """The next facts after `after`, at most `limit`, in the order of the log."""
    found, _ = await look(connection, after, limit=limit)
    return found


async def look(connection: RawConnection | RawPool, after: Position, *, limit: int) -> tuple[list[Row], bool]:
    """`read`, and whether committed facts are hidden behind a transaction that still runs."""
    rows = await connection.fetch(_READ, str(after.xid), after.id, limit)
    found = [_row(row) for row in rows if not row["hidden"]]
    return found, len(found) < len(rows)


async def head(connection: RawConnection | RawPool) -> Position:
    """A position before which everything is committed and visible; read state after taking it."""
    row = await connection.fetchrow(_HEAD)
    assert row is not None
    return Position(row["xmin"] - 1, 2**62)


def _row(row: asyncpg.Record) -> Row:
    data = row["data"]
    return Row(
        position=Position(row["xid"], row["id"]),
        type=row["type"],
        at=row["at"],
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        ids={name: row[name] for name in _IDS if row[name] is not None},
        data=orjson.loads(data) if isinstance(data, (str, bytes)) else data,
    )


_FORGET = text("""
with oldest as materialized (
    select id, bool_and(at < :before and stray) over (order by xid, id) as old
    from (
        select id, xid, at, tableoid = 'facts_default'::regclass as stray
        from facts order by xid, id limit :limit) first)
delete from facts_default f using oldest o
where f.id = o.id and o.old
returning f.xid::text::bigint as xid, f.id
""")
_RAISE_FLOOR = text("""
update installation set facts_floor_xid = :xid, facts_floor_id = :id
where (facts_floor_xid, facts_floor_id) < (:xid, :id)
""")
_LAST = "select xid::text::bigint as xid, id from {month} order by xid desc, id desc limit 1"
_FLOOR = "select facts_floor_xid, facts_floor_id from installation"


async def forget(session: AsyncSession, *, before: datetime, limit: int = 500) -> int:
    """Delete some facts that begin the log, lie in no month and are older than `before`; returns how many."""
    rows = await session.execute(_FORGET, {"before": before, "limit": limit})
    gone = [Position(row.xid, row.id) for row in rows]
    if gone:
        await session.execute(_RAISE_FLOOR, {"xid": max(gone).xid, "id": max(gone).id})
    return len(gone)


async def forget_month(session: AsyncSession, month: Partition) -> None:
    """Drop a month of the log; readers that are not past it have to take the state again."""
    await partitions.detach(session, month)
    last = (await session.execute(text(_LAST.format(month=month.name)))).first()
    if last is not None:
        await session.execute(_RAISE_FLOOR, {"xid": last.xid, "id": last.id})
    await partitions.drop(session, month)


async def need_kept(connection: RawConnection | RawPool, after: Position) -> None:
    """Raises `Resync` when facts after `after` have been forgotten. To be asked after reading them."""
    row = await connection.fetchrow(_FLOOR)
    if row is not None and after < Position(*row):
        raise Resync


async def epoch(session: AsyncSession) -> UUID:
    """Which log this is; another after a restore."""
    value: UUID = (await session.execute(text("select epoch from installation"))).scalar_one()
    return value


def encode(position: Position, *, epoch: UUID) -> str:
    """An opaque cursor for clients."""
    raw = f"{epoch.hex[-12:]}.{position.xid:x}.{position.id:x}"
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode(cursor: str, *, epoch: UUID) -> Position:
    """The position of a client's cursor; raises `Resync` when it is not of this log."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        mark, xid, id = raw.split(".")
        position = Position(int(xid, 16), int(id, 16))
    except ValueError:
        raise Resync from None
    if mark != epoch.hex[-12:] or not 0 <= position.xid < 2**63 or not 0 <= position.id < 2**63:
        raise Resync
    return position
