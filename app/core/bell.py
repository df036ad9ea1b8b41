"""The bell: after a commit, wakes the readers of the log in this and in other processes.

At most one empty NOTIFY every few milliseconds, on a connection of its own and never inside a
business transaction: NOTIFY takes a database-wide lock until its commit. A lost ring costs only
the readers' polling interval.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from app.core import metrics

CHANNEL = "otklik_facts"
LANE = "otklik_lane"
_INTERVAL = 0.004
_DROPPED = metrics.counter("lane_dropped", "Messages of the lane that may drop, dropped by a full queue.")


class Bell:
    """Coalesces rings; also carries the small messages of the lane that may drop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: list[Callable[[], None]] = []
        self._rung = asyncio.Event()
        self._lane: list[str] = []
        self._loop: asyncio.Task[None] | None = None

    def on_ring(self, listener: Callable[[], None]) -> None:
        """Call `listener` at once whenever this process rings."""
        self._listeners.append(listener)

    def ring(self) -> None:
        """Say that facts were committed. Never blocks, never fails."""
        for listener in self._listeners:
            listener()
        self._wake()

    def whisper(self, text: str) -> None:
        """Send one message (under 7,000 bytes) on the lane that may drop."""
        if len(self._lane) < 1000:
            self._lane.append(text)
            self._wake()
        else:
            _DROPPED.inc()

    def _wake(self) -> None:
        self._rung.set()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Ends when idle for half a minute; the next ring starts it anew."""
        connection = None
        try:
            connection = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
            while True:
                try:
                    async with asyncio.timeout(30):  # wait_for loses cancellations before 3.12
                        await self._rung.wait()
                except TimeoutError:
                    return
                self._rung.clear()
                whispers, self._lane = self._lane, []
                await connection.execute(f"NOTIFY {CHANNEL}")
                for text in whispers:
                    await connection.execute("SELECT pg_notify($1, $2)", LANE, text)
                await asyncio.sleep(_INTERVAL)
        except Exception:  # a dying connection fails in ways of its own (`InternalClientError`)
            return  # readers poll as well
        finally:
            if connection is not None:
                with suppress(Exception):
                    await connection.close(timeout=1)

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop


async def listen(url: str, *, on_facts: Callable[[], None], on_lane: Callable[[str], None]) -> None:
    """Keep listening until cancelled; reconnects after whatever fault."""
    while True:
        connection = None
        try:
            connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
            await connection.add_listener(CHANNEL, lambda *_: on_facts())
            await connection.add_listener(LANE, lambda _c, _p, _n, payload: on_lane(payload))
            on_facts()  # what was rung while nobody listened
            while not connection.is_closed():
                await asyncio.sleep(5)
                await connection.execute("SELECT 1")
        except Exception:
            await asyncio.sleep(1)
        finally:
            if connection is not None:
                with suppress(Exception):
                    await connection.close(timeout=1)
