"""The open connections of visitors to this process, and what each of them knows."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import WebSocket

from app.core.db import Database
from app.core.errors import TooMany
from app.web.widget_visitors import Chat, Visitor

MOST = 10
"""Connections of one visitor to one process."""
_EXPECT = 10.0
"""Seconds in which a first message should be understood."""


@dataclass(eq=False)
class Line:
    """One open connection of a visitor."""

    socket: WebSocket
    chat: Chat
    visitor: Visitor
    after: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    changed: bool = False
    """The thread may have something new."""
    going: bool = False
    """The process stops: the visitor is to connect to another."""
    typing: bool = False
    """An agent is typing, and the visitor was not told yet."""
    customer_id: UUID | None = None
    """Whom the feed is asked about; nobody before the first message."""
    end_following: Callable[[], None] | None = None
    expecting_until: float = 0.0
    looked_at: float = 0.0
    typed_at: float = 0.0
    shown: dict[UUID, str] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    """Our messages by number, and how far each has come."""

    @property
    def database(self) -> Database:
        database: Database = self.socket.app.state.database
        return database

    def wake(self) -> None:
        """Something happened to the customer."""
        self.changed = True
        self.woken.set()

    def agent_types(self, said: dict[str, Any]) -> None:
        """Somebody types in the dialog; the customer's own typing comes back too."""
        if not said.get("customer"):
            self.typing = True
            self.woken.set()

    def expect(self) -> None:
        """The visitor wrote: look soon, his customer may not be known yet."""
        self.expecting_until = time.monotonic() + _EXPECT
        self.wake()

    def leave(self) -> None:
        self.going = True
        self.woken.set()

    def unfollow(self) -> None:
        if self.end_following is not None:
            self.end_following()
            self.end_following = None


class Hub:
    """The open connections by channel and visitor."""

    def __init__(self) -> None:
        self._lines: defaultdict[tuple[UUID, str], set[Line]] = defaultdict(set)

    @contextmanager
    def open(self, line: Line) -> Iterator[None]:
        """Keep `line` listed; raises `TooMany`."""
        key = (line.chat.id, line.visitor.id)
        if len(self._lines.get(key, ())) >= MOST:
            raise TooMany
        self._lines[key].add(line)
        try:
            yield
        finally:
            self._lines[key].discard(line)
            if not self._lines[key]:
                del self._lines[key]

    def lines(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]

    def expect(self, channel_id: UUID, visitor_id: str) -> None:
        """He has just written."""
        for line in self._lines.get((channel_id, visitor_id), ()):
            line.expect()


def hub(app: Any) -> Hub:
    """The hub of this process."""
    if not hasattr(app.state, "widget_hub"):
        app.state.widget_hub = Hub()
    found: Hub = app.state.widget_hub
    return found
