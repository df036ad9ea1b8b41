"""Running turns of work for ever: woken by a bell, looking by itself from time to time, never dying."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from app.core import metrics

log = structlog.get_logger()
_TURNS = metrics.counter("loop_turns", "Turns of background loops.", "loop")
_FAILURES = metrics.counter("loop_failures", "Turns of background loops that ended with a fault.", "loop")


class Loop:
    """Repeats `turn` until nothing is left, then waits to be woken or for `every` seconds.

    A turn that returns True is repeated at once; one that returns a float says itself how long to wait.
    """

    def __init__(
        self, name: str, turn: Callable[[], Awaitable[object]], *, every: float, gap: float = 0.0
    ) -> None:
        self.name = name
        self._turn = turn
        kind = name.rstrip("-0123456789")
        self._turns, self._failures = _TURNS.labels(kind), _FAILURES.labels(kind)
        self._every = every
        self._gap = gap
        self._woken = asyncio.Event()
        self._stopping = False
        self.idle = False
        """It waits, and nobody has woken it yet."""
        self.failing = False
        """Its last turn ended with a fault."""

    def wake(self) -> None:
        self.idle = False
        self._woken.set()

    def stop(self) -> None:
        """End after the turn in hand."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Until stopped or cancelled; a fault is logged and the turn repeated after a pause."""
        while not self._stopping:
            self._woken.clear()
            self._turns.inc()
            try:
                again = await self._turn()
            except asyncio.CancelledError:
                raise
            except Exception:
                self.failing = True
                self._failures.inc()
                log.exception("loop.failed", loop=self.name)
                await asyncio.sleep(1)
                continue
            self.failing = False
            if again is not True:
                await self._wait(again if isinstance(again, float) else self._every)

    async def _wait(self, seconds: float) -> None:
        if self._gap:
            await asyncio.sleep(self._gap)
        self.idle = not self._woken.is_set()
        with suppress(TimeoutError):
            async with asyncio.timeout(
                max(0.0, seconds - self._gap)
            ):  # wait_for loses cancellations before 3.12
                await self._woken.wait()
        self.idle = False


class Crew:
    """Loops of one kind of work. One of them is woken at a time; whoever finds work wakes the next."""

    def __init__(self, *loops: Loop) -> None:
        self.loops = loops

    def wake(self) -> None:
        for loop in self.loops:
            if loop.idle:
                loop.wake()
                return
        for loop in self.loops:  # any of them may have looked just before the work was there
            loop.wake()


async def together(*loops: Loop) -> None:
    """Run loops side by side until all are stopped, or cancelled."""
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
