"""The consoles connected to this process, found through the keys they hold; never by a loop over all.

Pushing never blocks: what a socket cannot take at once goes into its short backlog, and whoever falls
behind further is closed with a code and resumes from his cursor.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Set
from contextlib import suppress
from typing import Any

from websockets.frames import Frame, Opcode

from app.core.facts import Position

WriteFrame = Callable[[bytes], bool]
Send = Callable[[dict[str, Any]], Awaitable[None]]

SIGN_IN_AGAIN = 4401
TOO_SLOW = 4408
RESYNC = 4409
GOING = 1012

_BACKLOG = 2000


class Message:
    """What goes to many sockets as the very same bytes: a websocket frame and, at need, an ASGI message."""

    __slots__ = ("_asgi", "_text", "frame")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._asgi: dict[str, Any] | None = None
        self.frame = Frame(Opcode.TEXT, text).serialize(mask=False)

    @property
    def asgi(self) -> dict[str, Any]:
        if self._asgi is None:
            self._asgi = {"type": "websocket.send", "text": self._text.decode()}
        return self._asgi


class Connection:
    """One live socket: the keys it holds and how to write to it.

    `write_frame`: the server's own way to send a whole frame (`app.web.wire`), where it has one.
    """

    def __init__(
        self, send: Send, keys: frozenset[str], *, after: Position, write_frame: WriteFrame | None = None
    ) -> None:
        self._send = send
        self._write_frame = write_frame
        self.keys = keys
        self.after = after
        """Facts up to here have been given to it."""
        self.closed: asyncio.Event = asyncio.Event()
        self.close_code = 1000
        self.pinged_at = time.monotonic()
        self._waiting: deque[Message] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._held: list[tuple[Position | None, Message]] | None = []

    def push(self, message: Message) -> None:
        """Write a message now, or as soon as the socket takes it."""
        if self._held is not None:
            self._hold(None, message)
        elif not self.closed.is_set():
            self._write_or_queue(message)

    def _write_or_queue(self, message: Message) -> None:
        write = self._write_frame
        try:
            if self._waiting or not (write(message.frame) if write else self._write_plainly(message)):
                self._queue(message)
        except Exception:
            self.end(1006)

    def _write_plainly(self, message: Message) -> bool:
        """Write by ASGI, without waiting: False when the socket has no room."""
        attempt = self._send(message.asgi)
        try:
            attempt.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            return True
        attempt.close()  # type: ignore[attr-defined]  # it waits for room: nothing is written yet
        return False

    def push_fact(self, position: Position, message: Message) -> None:
        """Push a fact's message, once."""
        if self._held is not None:
            self._hold(position, message)
        elif position > self.after:
            self.after = position
            self.push(message)

    async def write(self, message: Message) -> None:
        """Write while catching up, as fast as the socket takes it."""
        await self._send(message.asgi)

    def _hold(self, position: Position | None, message: Message) -> None:
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

    def _queue(self, message: Message) -> None:
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
                await self._send(self._waiting[0].asgi)
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

    def holders(self, keys: Iterable[str]) -> Set[Connection]:
        """Connections that hold one of the keys; not to be changed, and to be used at once."""
        found = [holders for key in keys if (holders := self._by_key.get(key))]
        return found[0] if len(found) == 1 else set().union(*found)
