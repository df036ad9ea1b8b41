"""Who gets in: so many requests wait for an answer, so many sockets are open, and whoever comes beyond that
is told at once to come again. Nothing queues without end, and nothing is stored that was not accepted.

A request is in until its answer begins: slow readers of a long answer keep nobody out.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import metrics
from app.core.config import Settings
from app.core.errors import Unavailable
from app.web import problems

LARGE = 1024 * 1024
"""Bytes of a body that is held in memory and counted among the large ones; so are those of unknown length."""
MOST_LARGE = 8
TRY_AGAIN = 1013
"""Close code of sockets that came when there were too many."""
REFUSED = metrics.counter("refused", "Requests and sockets refused because too many were in.", "what")


@dataclass(slots=True)
class Gate:
    """How many are in, and how many may be."""

    what: str
    most: int
    inside: int = 0

    def enter(self) -> bool:
        if self.inside >= self.most:
            REFUSED.labels(self.what).inc()
            return False
        self.inside += 1
        return True

    def leave(self) -> None:
        self.inside -= 1


class Admission:
    """Pure ASGI: requests, large bodies and visitors' sockets each have their gate.

    Webhooks and consoles' sockets do not come by here: they are counted where they come in.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.requests = Gate("requests", settings.max_waiting)
        self.large = Gate("large bodies", MOST_LARGE)
        self.visitors = Gate("visitors", settings.max_sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            await self._socket(self.visitors, scope, receive, send)
        elif path.startswith(("/api/", "/widget/")):
            if scope["method"] in ("POST", "PUT", "PATCH") and _is_large(scope):
                await self._request(self.large, scope, receive, send)
            else:
                await self._request(self.requests, scope, receive, send)
        else:  # health, metrics, the console's files: small, and asked most when it is full
            await self.app(scope, receive, send)

    async def _request(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        if not gate.enter():
            await problems.of_error(full())(scope, receive, send)
            return
        leave = _once(gate.leave)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                leave()
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            leave()

    async def _socket(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        if not gate.enter():
            await receive()
            await send({"type": "websocket.accept"})  # a browser shows a close code only of an open socket
            await send({"type": "websocket.close", "code": TRY_AGAIN})
            return
        try:
            await self.app(scope, receive, send)
        finally:
            gate.leave()


def _is_large(scope: Scope) -> bool:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) > LARGE if length.isdecimal() else b"transfer-encoding" in dict(scope["headers"])


def _once(leave: Callable[[], None]) -> Callable[[], None]:
    done = False

    def call() -> None:
        nonlocal done
        if not done:
            done = True
            leave()

    return call


def full() -> Unavailable:
    """When to come again differs, so that not all come at the same moment."""
    seconds = random.randint(1, 4)  # noqa: S311
    return Unavailable("Too many requests are waiting; try again.", retry_after=seconds)
