"""The database of a process: one SQLAlchemy engine, one raw asyncpg pool, one `transaction()`.

`transaction()` holds the only commit of the project. The raw pool serves the hot path (storing an
inbound message is one prepared statement) and the reader of the log.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.core.bell import Bell

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


class Database:
    """Connections of one process. Open it, use `transaction()` and `raw`, close it."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        self.url = url.replace("postgres://", "postgresql://", 1)
        self.pool_size = pool_size
        self.bell = Bell(self.url)
        self._raw: RawPool | None = None
        self.engine: AsyncEngine = create_async_engine(
            self.url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=15,
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
        )

    async def close(self) -> None:
        await self.bell.close()
        if self._raw is not None:
            await self._raw.close()
        await self.engine.dispose()

    @property
    def raw(self) -> RawPool:
        assert self._raw is not None, "Database.open() was not called"
        return self._raw

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits at the end, rolls back on an exception.

        When facts were recorded in it, the bell is rung after the commit.
        """
        async with self._sessions() as session:
            async with session.begin():
                yield session
            if session.info.get("facts"):
                self.bell.ring()
