"""Who holds the feed back: the oldest writing transaction of the whole server, foreign and prepared ones too.

Ours are ended after a minute (`transaction_timeout`); a foreign one only its owner can end.
"""

from dataclasses import dataclass

import structlog

from app.core.db import RawConnection, RawPool

LATE_SECONDS = 75.0
"""More than our own transactions may last."""
log = structlog.get_logger(__name__)

_OLDEST = """
select pid, coalesce(datname, '') as database, coalesce(nullif(application_name, ''), usename, '') as program,
       coalesce(extract(epoch from clock_timestamp() - xact_start), 0)::float8 as seconds,
       age(backend_xid) as position
from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
union all
select null, database, 'prepared ' || gid, extract(epoch from clock_timestamp() - prepared)::float8,
       age(transaction)
from pg_prepared_xacts
order by position desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A transaction that has written and not ended; `pid` is None for a prepared one."""

    pid: int | None
    database: str
    program: str
    seconds: float
    """Since it began; 0 when our user may not know."""


async def oldest(connection: RawConnection | RawPool) -> Holder | None:
    """The one that every reader of the log waits for."""
    row = await connection.fetchrow(_OLDEST)
    return Holder(row["pid"], row["database"], row["program"], row["seconds"]) if row else None


async def turn(connection: RawConnection | RawPool) -> None:
    """Tell the operator when it is too old."""
    found = await oldest(connection)
    if found is not None and found.seconds > LATE_SECONDS:
        log.warning(
            "feed.held_back",
            pid=found.pid,
            database=found.database,
            program=found.program,
            seconds=round(found.seconds),
            hint="Nobody hears of news before it ends: pg_terminate_backend(pid) ends it.",
        )
