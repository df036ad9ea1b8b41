"""Running turns of work for ever: woken by a bell, looking by itself from time to time, never dying."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

log = structlog.get_logger()


class Loop:
    """Repeats `turn` until nothing is left, then waits to be woken or for `every` seconds."""

    def __init__(self, name: str, turn: Callable[[], Awaitable[object]], *, every: float) -> None:
        self.name = name
        self._turn = turn
        self._every = every
        self._woken = asyncio.Event()
        self.failing = False
        """Its last turn ended with a fault."""

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; a fault is logged and the turn repeated after a pause."""
        while True:
            self._woken.clear()
            try:
                again = await self._turn()
            except asyncio.CancelledError:
                raise
            except Exception:
                self.failing = True
                log.exception("loop.failed", loop=self.name)
                await asyncio.sleep(1)
                continue
            self.failing = False
            if again is not True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every):  # wait_for loses cancellations before 3.12
                        await self._woken.wait()


async def together(*loops: Loop) -> None:
    """Run loops side by side until cancelled."""
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
