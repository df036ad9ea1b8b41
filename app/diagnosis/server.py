"""Findings about the database server: transactions, locks, connections, tables, statements, clock."""

import time
from typing import Any

from app.core.db import RawConnection
from app.core.logs import redact
from app.diagnosis.finding import Finding

HELD = 10
OLD = 300
LOCKED = 5
DEAD_ROWS = 50_000
SLOW_MS = 100
CLOCK = 1.0

_ACTIVITY = """
select pid, coalesce(application_name, '') as program, coalesce(usename, '') as login,
       coalesce(state, '') as state, coalesce(query, '') as statement, datname,
       backend_xid is not null as writes,
       extract(epoch from clock_timestamp() - xact_start)::float8 as age,
       case when wait_event_type = 'Lock' then (pg_blocking_pids(pid))[1] end as blocker,
       extract(epoch from clock_timestamp() - state_change)::float8 as since
from pg_stat_activity
where pid <> pg_backend_pid() and backend_type = 'client backend' and xact_start is not null
order by xact_start
"""
_PREPARED = "select gid, extract(epoch from now() - prepared)::float8 as age from pg_prepared_xacts"
_CONNECTIONS = """
select count(*) as used, count(*) filter (where application_name like 'otklik%') as ours,
       current_setting('max_connections')::int as most
from pg_stat_activity where backend_type = 'client backend'
"""
_DEAD = """
select relname, n_dead_tup as dead, n_live_tup as live,
       coalesce(to_char(greatest(last_vacuum, last_autovacuum), 'YYYY-MM-DD HH24:MI'), '–') as vacuumed
from pg_stat_user_tables
where n_dead_tup > $1 and n_dead_tup > 0.2 * n_live_tup
order by n_dead_tup desc limit 10
"""
_DEFAULTS = """
select oid::regclass::text from pg_class
where relispartition and relkind = 'r' and pg_get_expr(relpartbound, oid) = 'DEFAULT'
  and relname <> 'inbound_default' -- where old events wait that nobody has understood
"""
_STATEMENTS = """
select calls, mean_exec_time as mean, query as statement,
       100 * total_exec_time / nullif(sum(total_exec_time) over (), 0) as share
from pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())
order by total_exec_time desc limit 10
"""
_SETTINGS = {
    "fsync": ("on", "A power cut may destroy the whole database.", "Сбой питания может погубить всю базу."),
    "full_page_writes": (
        "on",
        "A power cut may destroy the whole database.",
        "Сбой питания может погубить всю базу.",
    ),
    "synchronous_commit": (
        "on",
        "Messages we have confirmed to a platform may be lost at a power cut.",
        "При сбое питания пропадут сообщения, приём которых мы уже подтвердили платформе.",
    ),
    "autovacuum": ("on", "Tables and indexes grow without end.", "Таблицы и индексы растут без конца."),
}


async def transactions(connection: RawConnection) -> list[Finding]:
    """Who holds the feed back, who keeps dead rows, who waits for whom."""
    found = []
    for row in await connection.fetch(_ACTIVITY):
        if row["writes"] and row["age"] > HELD:
            found.append(Finding("broken", "feed_held", _session(row), _values(row)))
        elif row["age"] > OLD:
            found.append(Finding("warning", "transaction_old", _session(row), _values(row)))
        if row["blocker"] and row["since"] > LOCKED:
            values = _values(row) | {"age": round(row["since"]), "blocker": row["blocker"]}
            found.append(Finding("warning", "lock_wait", _session(row), values))
    for row in await connection.fetch(_PREPARED):
        if row["age"] > HELD:
            values = {"age": round(row["age"]), "gid": row["gid"]}
            found.append(Finding("broken", "prepared", row["gid"], values))
    return found


def _session(row: Any) -> str:
    return f"pid {row['pid']} ({row['program'] or '?'}, {row['login']}, {row['datname']})"


def _values(row: Any) -> dict[str, Any]:
    return {
        "pid": row["pid"],
        "age": round(row["age"]),
        "state": row["state"],
        "statement": _short(row["statement"]),
    }


def _short(statement: str) -> str:
    return redact(" ".join(statement.split()))[:160]


async def connections(connection: RawConnection) -> list[Finding]:
    """Whether they run out."""
    row = dict(await connection.fetchrow(_CONNECTIONS))
    return [Finding("warning", "connections", "PostgreSQL", row)] if row["used"] > 0.8 * row["most"] else []


async def tables(connection: RawConnection) -> list[Finding]:
    """What autovacuum does not keep up with, and rows for which no month was made."""
    found = []
    for row in await connection.fetch(_DEAD, DEAD_ROWS):
        values = dict(row) | {"table": row["relname"]}
        found.append(Finding("warning", "dead_rows", row["relname"], values))
    for row in await connection.fetch(_DEFAULTS):
        if await connection.fetchval(f"select exists (select from {row[0]})"):  # noqa: S608 - a regclass
            found.append(Finding("warning", "default_partition", row[0]))
    return found


async def statements(connection: RawConnection) -> list[Finding]:
    """The slow ones among those that take most time, when the server keeps count."""
    if await connection.fetchval("select to_regclass('pg_stat_statements')") is None:
        return []
    rows = [row for row in await connection.fetch(_STATEMENTS) if row["mean"] > SLOW_MS and row["calls"] > 5]
    return [
        Finding(
            "note",
            "slow_statement",
            "pg_stat_statements",
            {
                "mean": round(row["mean"]),
                "calls": row["calls"],
                "share": round(row["share"] or 0),
                "statement": _short(row["statement"]),
            },
        )
        for row in rows
    ]


async def settings(connection: RawConnection) -> list[Finding]:
    """What must not be switched off."""
    found = []
    for name, (better, why_en, why_ru) in _SETTINGS.items():
        value = await connection.fetchval("select current_setting($1)", name)
        if value == "off":
            values = {"name": name, "value": value, "better": better, "why_en": why_en, "why_ru": why_ru}
            found.append(Finding("warning", "server_setting", "PostgreSQL", values))
    return found


async def clock(connection: RawConnection) -> list[Finding]:
    """Whether this machine and the server have the same time; half the way there and back is taken off."""
    began = time.time()
    theirs = await connection.fetchval("select extract(epoch from clock_timestamp())::float8")
    difference = abs(theirs - (began + time.time()) / 2)
    if difference < CLOCK:
        return []
    return [Finding("warning", "clock", "PostgreSQL", {"seconds": round(difference, 1)})]
