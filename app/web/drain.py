"""Leaving without a lost request: readiness says so first, then the sockets go, spread over the time left.

While a process drains it answers everything as before, and asks for the connection to be closed, so that
nobody sends another request over one that is about to go.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import widget_hub
from app.web.feed import Feed
from app.web.hub import GOING

_TICK = 0.05
log = structlog.get_logger(__name__)


class LastAnswer:
    """Closes HTTP connections after their answer while the process drains."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not getattr(scope["app"].state, "draining", False):
            await self.app(scope, receive, send)
            return

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self.app(scope, receive, close)


async def drain(app: FastAPI, *, seconds: float, hurry: Callable[[], bool]) -> None:
    """Half of the time load balancers may notice; in the other half the sockets are closed.

    Ends early when `hurry` says so.
    """
    app.state.draining = True
    sockets = _sockets(app)
    log.info("drain.begun", seconds=seconds, sockets=len(sockets))
    await _pass(seconds / 2, hurry)
    ends = _sockets(app)
    random.shuffle(ends)
    ticks = max(1, round(seconds / 2 / _TICK))
    for tick in range(ticks):
        for end in _share(ends, tick, ticks):
            end()
        await _pass(_TICK if seconds else 0, hurry)


def _sockets(app: FastAPI) -> list[Callable[[], None]]:
    """What ends each open socket."""
    feed: Feed = app.state.feed
    consoles = [lambda one=one: one.end(GOING) for one in feed.hub.connections]
    return [*consoles, *(line.leave for line in widget_hub.hub(app).lines())]


def _share(ends: Sequence[Callable[[], None]], tick: int, ticks: int) -> Sequence[Callable[[], None]]:
    return ends[len(ends) * tick // ticks : len(ends) * (tick + 1) // ticks]


async def _pass(seconds: float, hurry: Callable[[], bool]) -> None:
    for _ in range(round(seconds / _TICK)):
        if hurry():
            return
        await asyncio.sleep(_TICK)
