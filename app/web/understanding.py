"""Understanding raw events in the very process that stored them, right after the answer has left.

Where it does not come to it, the worker's loops do the same. Kinds of channels whose libraries weigh
much are left to the worker from the start.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.core.config import Settings
from app.core.db import Database
from app.loops import Loop, together
from channels import registry
from channels.gateway import Gateway
from dialogs import inbox

_LANES = 4


@asynccontextmanager
async def part(app: FastAPI) -> AsyncIterator[None]:
    """Offer `app.state.inbox_wake(kind)` to whoever stores events, and the gateway to the endpoints."""
    settings: Settings = app.state.settings
    database: Database = app.state.database
    gateway = app.state.gateway = Gateway(app.state.box, settings)

    async def turn() -> bool:
        return await inbox.turn(database, gateway, settings, leave=registry.HEAVY)

    loops = [Loop(f"inbox-{n}", turn, every=5) for n in range(_LANES)] if settings.loops_in_web else []

    def wake(kind: str = "") -> None:
        """There are events of a channel of `kind`; left out: of any."""
        for loop in loops:
            loop.wake()
        if not loops or not kind or kind in registry.HEAVY:
            database.bell.ring()  # what is left to the worker shall not wait for its next look

    app.state.inbox_wake = wake
    work = asyncio.create_task(together(*loops))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
