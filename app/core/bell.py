"""The bell: after a commit, wakes the readers of the log in this and in other processes.

At most one empty ring every few milliseconds, never inside a business transaction. How it reaches
other processes is the carrier's: PostgreSQL's NOTIFY, or NATS where that is set. A lost ring costs only
the readers' polling interval.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from app.core import metrics

_DROPPED = metrics.counter("lane_dropped", "Messages of the lane that may drop, dropped by a full queue.")
_INTERVAL = 0.004
_IDLE_SECONDS = 30
_MOST_WHISPERS = 1000


@dataclass(frozen=True, slots=True)
class Ears:
    """What to call when other processes ring (`facts`) or whisper (`lane`).

    `opened`: listening has begun, or begun anew; what was said before was not heard.
    """

    facts: Callable[[], None]
    lane: Callable[[str], None]
    opened: Callable[[], None]


class Carrier(Protocol):
    """Takes rings and whispers to the other processes; may lose them."""

    name: str

    @property
    def connected(self) -> bool:
        """Whether this process hears the others now."""

    async def send(self, whispers: list[str]) -> None:
        """Ring, and pass the whispers on. Raises when it cannot; what was given is lost then."""

    async def listen(self, ears: Ears) -> None:
        """Keep listening until cancelled; reconnects after whatever fault."""

    async def rest(self) -> None:
        """Nothing was to be sent for a while, or sending failed."""

    async def close(self) -> None: ...


class Bell:
    """Coalesces rings; also carries the small messages of the lane that may drop."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
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
        if len(self._lane) < _MOST_WHISPERS:
            self._lane.append(text)
            self._wake()
        else:
            _DROPPED.inc()

    async def listen(
        self,
        *,
        on_facts: Callable[[], None],
        on_lane: Callable[[str], None],
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        """Hear other processes until cancelled; reconnects after whatever fault."""

        def opened() -> None:
            on_facts()  # what was rung while nobody listened
            on_open()

        await self.carrier.listen(Ears(on_facts, on_lane, opened))

    def _wake(self) -> None:
        self._rung.set()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Ends when idle for half a minute or after a fault; the next ring starts it anew."""
        try:
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):  # wait_for loses cancellations before 3.12
                    await self._rung.wait()
                self._rung.clear()
                whispers, self._lane = self._lane, []
                await self.carrier.send(whispers)
                await asyncio.sleep(_INTERVAL)
        except Exception:  # a dying connection fails in ways of its own; readers poll as well
            await self.carrier.rest()

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
        await self.carrier.close()
