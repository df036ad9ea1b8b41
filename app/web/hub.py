"""The consoles connected to this process, found through the keys they hold; never by a loop over all.

Pushing never blocks: what a socket cannot take at once goes into its short backlog, and whoever falls
behind further is closed with a code and resumes from his cursor.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from app.core.facts import Position

Send = Callable[[dict[str, Any]], Awaitable[None]]

SIGN_IN_AGAIN = 4401
TOO_SLOW = 4408
RESYNC = 4409
GOING = 1012

_BACKLOG = 2000


class Connection:
    """One live socket: the keys it holds and how to write to it."""

    def __init__(self, send: Send, keys: frozenset[str], *, after: Position) -> None:
        self._send = send
        self.keys = keys
        self.after = after
        """Facts up to here have been given to it."""
        self.closed: asyncio.Event = asyncio.Event()
        self.close_code = 1000
        self._waiting: deque[dict[str, Any]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._held: list[tuple[Position | None, dict[str, Any]]] | None = []

    def push(self, message: dict[str, Any]) -> None:
        """Write an ASGI `websocket.send` message now, or as soon as the socket takes it."""
        if self.closed.is_set():
            return
        if self._held is not None:
            self._hold(None, message)
            return
        if self._waiting:
            self._queue(message)
            return
        attempt = self._send(message)
        try:
            attempt.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            return
        except Exception:
            self.end(1006)
            return
        attempt.close()  # type: ignore[attr-defined]  # it waits for room: nothing is written yet
        self._queue(message)

    def push_fact(self, position: Position, message: dict[str, Any]) -> None:
        """Push a fact's message, once."""
        if self._held is not None:
            self._hold(position, message)
        elif position > self.after:
            self.after = position
            self.push(message)

    async def write(self, message: dict[str, Any]) -> None:
        """Write while catching up, as fast as the socket takes it."""
        await self._send(message)

    def _hold(self, position: Position | None, message: dict[str, Any]) -> None:
        assert self._held is not None
        self._held.append((position, message))
        if len(self._held) > _BACKLOG:
            self.end(TOO_SLOW)

    def release(self) -> None:
        """End the time of catching up: what happened meanwhile goes out now, unless it was caught up."""
        held, self._held = self._held or [], None
        for position, message in held:
            if position is None:
                self.push(message)
            else:
                self.push_fact(position, message)

    def _queue(self, message: dict[str, Any]) -> None:
        self._waiting.append(message)
        if len(self._waiting) > _BACKLOG:
            self.end(TOO_SLOW)
        else:
            self._start_pump()

    def _start_pump(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._empty())

    async def _empty(self) -> None:
        while self._waiting and not self.closed.is_set():
            try:
                await self._send(self._waiting[0])
            except Exception:
                self.end(1006)
                return
            self._waiting.popleft()

    def end(self, code: int) -> None:
        """Ask the socket's own loop to close it with `code`."""
        if not self.closed.is_set():
            self.close_code = code
            self._waiting.clear()
            self.closed.set()

    async def drop(self) -> None:
        """Stop writing."""
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump


class Hub:
    """Index of connections by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, set[Connection]] = {}
        self.connections: set[Connection] = set()

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)
        for key in connection.keys:
            self._by_key.setdefault(key, set()).add(connection)

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)
        for key in connection.keys:
            holders = self._by_key.get(key)
            if holders is not None:
                holders.discard(connection)
                if not holders:
                    del self._by_key[key]

    def holders(self, keys: Iterable[str]) -> set[Connection]:
        """Connections that hold one of the keys."""
        return set().union(*(self._by_key.get(key, ()) for key in keys))
