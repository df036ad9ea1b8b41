"""Understanding raw events in the very process that stored them, right after the answer has left.

What was just stored is understood at once, without being taken from the table. Where it does not come
to that, this process's loops take it, or the worker's. Kinds of channels whose libraries weigh much
are left to the worker from the start.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from app.core.batcher import Batcher
from app.core.config import Settings
from app.core.db import WAIT_SECONDS, Database
from app.core.kept import RENEW_SECONDS
from app.loops import Loop, together
from channels import registry
from channels.gateway import Gateway
from channels.inbound import Raw
from dialogs import inbox, routing

log = structlog.get_logger()

_LOOPS = 4
_LANES = 2
_FRESH = 500
"""Stored events that may wait in a lane to be understood at once; the rest waits in the table alone."""


class Understanding:
    """What a process that stores events does to have them understood."""

    def __init__(self, database: Database, gateway: Gateway, settings: Settings) -> None:
        self._database, self._gateway, self._settings = database, gateway, settings
        here = settings.loops_in_web
        self._fresh = [Batcher(self._together, most=inbox.BATCH) for _ in range(_LANES if here else 0)]
        self._loops = [Loop(f"inbox-{n}", self._turn, every=5) for n in range(_LOOPS if here else 0)]

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
        for raw in raws:
            if self.at_once(raw) is None:
                self.wake(kind)

    def at_once(self, raw: Raw) -> "asyncio.Future[bool] | None":
        """Understand an event stored just now: whether that was done; None when too many wait.

        Those of a lane stay in their order.
        """
        lane = self._fresh[hash((raw.channel_id, raw.lane)) % _LANES]
        return lane.put(raw) if lane.waiting < _FRESH else None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await together(*self._loops)
        finally:
            for lane in self._fresh:
                await lane.close()

    async def _turn(self) -> bool:
        return await inbox.turn(self._database, self._gateway, self._settings, leave=registry.HEAVY)

    async def _together(self, raws: list[Raw]) -> list[bool]:
        """Whether all of them were understood; what was not is left to the loops."""
        done = False
        try:
            # Given back after each batch: those who store wait for the same connections.
            async with self._database.raw.acquire(timeout=WAIT_SECONDS) as connection:
                done = await inbox.at_once(
                    self._database, connection, raws, gateway=self._gateway, settings=self._settings
                )
        except Exception as error:  # the loops do it as soon as the database is back
            log.info("understanding.left", reason=type(error).__name__)
        if not done:
            self.wake()
        return [done] * len(raws)


@asynccontextmanager
async def part(app: FastAPI) -> AsyncIterator[None]:
    """Offer `inbox_wake` and `inbox_take` to whoever stores events, and the gateway to the endpoints."""
    gateway = app.state.gateway = Gateway(app.state.box, app.state.settings)
    understanding = Understanding(app.state.database, gateway, app.state.settings)
    app.state.inbox_wake, app.state.inbox_take = understanding.wake, understanding.take
    work = [
        asyncio.create_task(understanding.run()),
        asyncio.create_task(Loop("renew", lambda: _renew(app), every=RENEW_SECONDS).run()),
    ]
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _renew(app: FastAPI) -> None:
    state = app.state
    async with state.database.transaction() as session:
        await state.doors.renew(session, state)
        await state.gateway.renew(session)
        await routing.renew(session, state.settings)
