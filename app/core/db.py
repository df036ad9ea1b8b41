"""The database of a process: one SQLAlchemy engine, one raw asyncpg pool, and their units of work.

`transaction()` and, for the few hot paths, `hot()` hold the only commits of the project.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.core import clock, metrics
from app.core.bell import Bell
from app.core.bell_nats import Nats
from app.core.bell_notify import Notify

RawConnection: TypeAlias = Any
"""An asyncpg connection (the library is untyped here)."""
RawPool: TypeAlias = Any

_SERVER_SETTINGS = {
    "idle_in_transaction_session_timeout": "20000",
    "transaction_timeout": "60000",
    "lock_timeout": "10000",
    "timezone": "UTC",
    "application_name": "otklik",
}

_PLANNED_ONCE = _SERVER_SETTINGS | {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

WAIT_SECONDS = 5.0
"""For a free connection of a pool."""

_SECONDS = metrics.histogram(
    "transaction_seconds", "Length of units of work, the wait for a connection included."
)
_WAITED = metrics.counter("database_pool_waited", "Transactions that began while no connection was free.")


@dataclass(slots=True)
class Hot:
    """A unit of work on a raw connection. `facts`: set it when facts were recorded."""

    connection: RawConnection
    facts: bool = False


async def _nothing(_connection: RawConnection) -> None:
    """What is left to reset on a connection given back: its session has no state but its transaction,
    and that is ended. The usual reset is a round trip more than the statement it follows."""


class Database:
    """Connections of one process. Open it, use `transaction()` and `raw`, close it."""

    def __init__(self, url: str, *, pool_size: int = 4, nats_url: str | None = None) -> None:
        self.url = url.replace("postgres://", "postgresql://", 1)
        self.pool_size = pool_size
        self.bell = Bell(Nats(nats_url, database_url=self.url) if nats_url else Notify(self.url))
        self._raw: RawPool | None = None
        self.engine: AsyncEngine = create_async_engine(
            self.url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=WAIT_SECONDS,
            pool_recycle=1800,
            connect_args={"server_settings": _SERVER_SETTINGS, "timeout": 10, "command_timeout": 60},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=True)

    async def open(self) -> None:
        self._raw = await asyncpg.create_pool(
            self.url,
            min_size=1,
            max_size=self.pool_size,
            timeout=10,
            command_timeout=60,
            server_settings=_SERVER_SETTINGS,
            reset=_nothing,
        )
        await clock.read(self._raw)

    async def connect(self) -> RawConnection:
        """A connection beside the pools, for who reads all the time; the caller closes it.

        It plans each statement once: for tables by month, planning anew costs ten times the reading. And
        it reads by keys only: a plan made while a table was small has to do when it has grown.
        """
        return await asyncpg.connect(self.url, timeout=10, command_timeout=60, server_settings=_PLANNED_ONCE)

    async def close(self) -> None:
        await self.bell.close()
        if self._raw is not None:
            await self._raw.close()
        await self.engine.dispose()

    @property
    def raw(self) -> RawPool:
        assert self._raw is not None, "Database.open() was not called"
        return self._raw

    def in_use(self) -> dict[str, tuple[int, int]]:
        """Connections in use and how many there may be, of each of the two pools."""
        raw = self.raw.get_size() - self.raw.get_idle_size()
        used: int = self.engine.pool.checkedout()  # type: ignore[attr-defined]
        return {"requests": (used, self.pool_size), "loops": (raw, self.pool_size)}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits at the end, rolls back on an exception.

        When facts were recorded in it, the bell is rung after the commit.
        """
        began = time.perf_counter()
        if self.engine.pool.checkedout() >= self.pool_size:  # type: ignore[attr-defined]
            _WAITED.inc()
        async with self._sessions() as session:
            try:
                async with session.begin():
                    yield session
            finally:
                _SECONDS.observe(time.perf_counter() - began)
            if session.info.get("facts"):
                self.bell.ring()

    @asynccontextmanager
    async def hot(self) -> AsyncIterator[Hot]:
        """One unit of work like `transaction()`, on a raw connection, for SQL whose speed counts.

        A single statement needs neither: it is a transaction of its own on `raw`.
        """
        began = time.perf_counter()
        try:
            async with self.raw.acquire(timeout=WAIT_SECONDS) as connection:
                work = Hot(connection)
                async with connection.transaction():
                    yield work
        finally:
            _SECONDS.observe(time.perf_counter() - began)
        if work.facts:
            self.bell.ring()


async def driver(session: AsyncSession) -> RawConnection:
    """The asyncpg connection under a session, inside its transaction."""
    connection = await session.connection()
    found: RawConnection = (await connection.get_raw_connection()).driver_connection
    if not found.is_in_transaction():  # SQLAlchemy begins with its own first statement
        await connection.exec_driver_sql("select")
    assert found.is_in_transaction()
    return found


_PASSING = ("08", "40", "53", "57", "55P03", "25P03", "25P04")
"""Classes and codes of what passes by itself; see "PostgreSQL Error Codes" in its manual."""


def is_passing(error: BaseException) -> bool:
    """Whether the database was only busy or away: the same may succeed in a moment."""
    error = getattr(error, "orig", None) or error
    if isinstance(error, asyncpg.InterfaceError | OSError | PoolTimeout):
        return True
    return str(getattr(error, "sqlstate", None) or "-").startswith(_PASSING)
