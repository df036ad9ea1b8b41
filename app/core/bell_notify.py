"""The bell's usual carrier: PostgreSQL's NOTIFY, on connections of its own.

Never inside a business transaction: NOTIFY takes a database-wide lock until its commit.
"""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg

from app.core.bell import Ears

_FACTS = "otklik_facts"
_LANE = "otklik_lane"
_LOOK_SECONDS = 5


class Notify:
    """Rings on one connection, listens on another; both come back after faults."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url
        self._sending: Any = None
        self._listening: Any = None

    @property
    def connected(self) -> bool:
        return self._listening is not None and not self._listening.is_closed()

    async def send(self, whispers: list[str]) -> None:
        if self._sending is None:
            self._sending = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
        await self._sending.execute(f"NOTIFY {_FACTS}")
        for text in whispers:
            await self._sending.execute("SELECT pg_notify($1, $2)", _LANE, text)

    async def rest(self) -> None:
        connection, self._sending = self._sending, None
        await _close(connection)

    async def listen(self, ears: Ears) -> None:
        while True:
            connection = None
            try:
                connection = await asyncpg.connect(self._url, timeout=5, command_timeout=10)
                await self._hear(connection, ears)
            except Exception:
                await asyncio.sleep(1)
            finally:
                await _close(connection)

    async def _hear(self, connection: Any, ears: Ears) -> None:
        await connection.add_listener(_FACTS, lambda *_: ears.facts())
        await connection.add_listener(_LANE, lambda _c, _p, _n, payload: ears.lane(payload))
        self._listening = connection
        ears.opened()
        while not connection.is_closed():
            await asyncio.sleep(_LOOK_SECONDS)
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        await self.rest()


async def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):
            await connection.close(timeout=1)
