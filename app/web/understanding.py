"""Understanding raw events in the very process that stored them, right after the answer has left.

What was just stored is understood at once, without being taken from the table. Where it does not come
to that, this process's loops take it, or the worker's. Kinds of channels whose libraries weigh much
are left to the worker from the start.
"""

import asyncio
from asyncio import Queue, QueueEmpty, QueueFull
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from app.core.config import Settings
from app.core.db import Database
from app.loops import Loop, together
from channels import registry
from channels.gateway import Gateway
from channels.inbound import Raw
from dialogs import inbox

log = structlog.get_logger()

_LANES = 4
_FRESH = 500
"""Stored events that may wait here to be understood at once; the rest waits in the table alone."""


class Understanding:
    """What a process that stores events does to have them understood."""

    def __init__(self, database: Database, gateway: Gateway, settings: Settings) -> None:
        self._database, self._gateway, self._settings = database, gateway, settings
        lanes = range(_LANES) if settings.loops_in_web else ()
        self._fresh: list[Queue[Raw]] = [Queue(_FRESH) for _ in lanes]
        self._loops = [Loop(f"inbox-{n}", self._turn, every=5) for n in lanes]

    def wake(self, kind: str = "") -> None:
        """There are events of a channel of `kind`; left out: of any."""
        for loop in self._loops:
            loop.wake()
        if not self._loops or not kind or kind in registry.HEAVY:
            self._database.bell.ring()  # what is left to the worker shall not wait for its next look

    def take(self, kind: str, raws: Sequence[Raw]) -> None:
        """These events of a channel of `kind` were stored just now."""
        if not self._fresh or kind in registry.HEAVY:
            self.wake(kind)
            return
        try:
            for raw in raws:  # those of a lane stay in their order
                self._fresh[hash((raw.channel_id, raw.lane)) % _LANES].put_nowait(raw)
        except QueueFull:
            self.wake(kind)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(together(*self._loops))
            for queue in self._fresh:
                group.create_task(self._understand(queue))

    async def _turn(self) -> bool:
        return await inbox.turn(self._database, self._gateway, self._settings, leave=registry.HEAVY)

    async def _understand(self, queue: Queue[Raw]) -> None:
        while True:
            raws = [await queue.get()]
            try:
                # Given back after each batch: those who store wait for the same connections.
                async with self._database.raw.acquire(timeout=5) as connection:
                    raws += _ready(queue, inbox.BATCH - 1)
                    if not await self._at_once(connection, raws):
                        self.wake()
            except Exception as error:  # the loops do it as soon as the database is back
                log.info("understanding.left", reason=type(error).__name__)
                self.wake()

    async def _at_once(self, connection: object, raws: list[Raw]) -> bool:
        return await inbox.at_once(
            self._database, connection, raws, gateway=self._gateway, settings=self._settings
        )


def _ready(queue: Queue[Raw], most: int) -> list[Raw]:
    found: list[Raw] = []
    with suppress(QueueEmpty):
        while len(found) < most:
            found.append(queue.get_nowait())
    return found


@asynccontextmanager
async def part(app: FastAPI) -> AsyncIterator[None]:
    """Offer `inbox_wake` and `inbox_take` to whoever stores events, and the gateway to the endpoints."""
    gateway = app.state.gateway = Gateway(app.state.box, app.state.settings)
    understanding = Understanding(app.state.database, gateway, app.state.settings)
    app.state.inbox_wake, app.state.inbox_take = understanding.wake, understanding.take
    work = asyncio.create_task(understanding.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
