"""The visitor's websocket: what is new in his thread, typing, and what he has read.

A connection looks at the thread when it is woken (a fact about his messages, his own post), and now
and then by itself. It sends what it has not sent yet: an answer becomes visible when it leaves, so
its number may lie below one that was shown already.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from fastapi import WebSocket, WebSocketDisconnect
from sqlalchemy.exc import DBAPIError

from app.core.db import Database
from app.core.errors import AppError, Forbidden, NotFound, TooMany, Unauthenticated
from app.web import widget_history as history
from app.web import widget_inbound as inbound
from app.web import widget_limits as limits
from app.web import widget_visitors as visitors
from app.web.widget_history import PublicMessage
from app.web.widget_visitors import Chat, Visitor
from channels.webchat.parse import ReceiptEvent

POLL = 1.0
PING = 20.0
PATIENCE = 15.0
MOST = 10
"""Connections of one visitor to one process."""

_CODES: list[tuple[type[AppError], int]] = [
    (Unauthenticated, 4401),
    (Forbidden, 4403),
    (NotFound, 4404),
    (TooMany, 4429),
]
Key = tuple[UUID, str]


@dataclass(eq=False)
class Line:
    """One open connection of a visitor."""

    socket: WebSocket
    chat: Chat
    visitor: Visitor
    after: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    notes: list[dict[str, Any]] = field(default_factory=list)
    """Small news to pass on: the agent is typing."""
    shown: dict[UUID, str] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    """Our messages by number, and how far each has come."""


class Hub:
    """The open connections of this process by channel and visitor."""

    def __init__(self) -> None:
        self._lines: defaultdict[Key, set[Line]] = defaultdict(set)

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

    def wake(self, channel_id: UUID, visitor_id: str) -> None:
        """His thread may have changed."""
        for line in self._lines.get((channel_id, visitor_id), ()):
            line.woken.set()

    def tell(self, channel_id: UUID, visitor_id: str, note: dict[str, Any]) -> None:
        """Pass something on that is not stored."""
        for line in self._lines.get((channel_id, visitor_id), ()):
            line.notes.append(note)
            line.woken.set()


def hub(app: Any) -> Hub:
    """The hub of this process."""
    if not hasattr(app.state, "widget_hub"):
        app.state.widget_hub = Hub()
    found: Hub = app.state.widget_hub
    return found


async def serve(socket: WebSocket, channel_id: UUID, *, token: str | None, after: int) -> None:
    """Carry one connection from its first message to its end."""
    await socket.accept()
    try:
        line = await _sign_in(socket, channel_id, token=token, after=after)
        with hub(socket.app).open(line):
            await _carry(line)
    except AppError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), 1011)
        await _close(socket, code)
    except (DBAPIError, OSError):
        await _close(socket, 1013)
    except TimeoutError:
        await _close(socket, 4408)
    except WebSocketDisconnect:
        return


async def _close(socket: WebSocket, code: int) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code)


async def _sign_in(socket: WebSocket, channel_id: UUID, *, token: str | None, after: int) -> Line:
    """By the address or, so that the token stands in no log, by the first message."""
    limits.take(socket, "live")
    if token is None:
        async with asyncio.timeout(PATIENCE):
            first = _loads(await socket.receive_text())
        token = first.get("token") if isinstance(first.get("token"), str) else None
        after = _number(first.get("after"))
    visitor = visitors.visitor(socket.app.state.box, channel_id, token)
    limits.of(socket).take("live", visitor=visitor.id, address=None)
    async with _database(socket).transaction() as session:
        chat = await visitors.access_chat(session, channel_id)
    return Line(socket, chat, visitor, after)


async def _carry(line: Line) -> None:
    """Speak and listen until either ends."""
    both = {asyncio.ensure_future(_speak(line)), asyncio.ensure_future(_listen(line))}
    try:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        for half in both:
            half.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _speak(line: Line) -> None:
    news: list[PublicMessage] | None = await _first(line)
    quiet = 0.0
    while True:
        line.woken.clear()
        if news is not None:
            await _send(line, {"messages": [message.model_dump(mode="json") for message in news]})
        while line.notes:
            await _send(line, line.notes.pop(0))
        try:
            await asyncio.wait_for(line.woken.wait(), POLL)
        except TimeoutError:
            quiet += POLL
        if quiet >= PING:
            quiet = 0.0
            await _still_there(line)
            await _send(line, {"ping": 1})
        news = await _news(line) or None


async def _still_there(line: Line) -> None:
    """A chat that was paused meanwhile ends its connections."""
    async with _database(line.socket).transaction() as session:
        await visitors.access_chat(session, line.chat.id)


async def _first(line: Line) -> list[PublicMessage]:
    async with _database(line.socket).transaction() as session:
        found = await history.since(session, **_whose(line), after=line.after)
    return _unsent(line, found)


async def _news(line: Line) -> list[PublicMessage]:
    async with _database(line.socket).transaction() as session:
        found, _ = await history.page(session, **_whose(line))
    return _unsent(line, found)


def _whose(line: Line) -> dict[str, Any]:
    return {
        "channel_id": line.chat.id,
        "visitor_id": line.visitor.id,
        "names": line.chat.settings.agent_names,
    }


def _unsent(line: Line, found: list[PublicMessage]) -> list[PublicMessage]:
    news = []
    for message in found:
        if message.sender == "agent":
            line.answers[message.seq] = message.status or "sent"
        mark = f"{message.text}\0{[(file.id, file.state) for file in message.attachments]}"
        if line.shown.get(message.id) != mark:
            line.shown[message.id] = mark
            news.append(message)
    return news


async def _send(line: Line, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        await line.socket.send_text(orjson.dumps(message).decode())


async def _listen(line: Line) -> None:
    while True:
        said = _loads(await line.socket.receive_text())
        try:
            limits.take(line.socket, "read", visitor=line.visitor.id)
        except TooMany:
            continue  # typing and receipts may drop
        if said.get("typing") is True:
            await inbound.typing(line.socket.app, line.chat.id, line.visitor)
        if seq := _number(said.get("read_up_to")):
            await _report(line, "read", seq)
        elif seq := _number(said.get("delivered_up_to")):
            await _report(line, "delivered", seq)


async def _report(line: Line, status: Any, seq: int) -> None:
    """Store the receipt as a raw event, unless it says nothing new."""
    before = ("sent", "delivered") if status == "read" else ("sent",)
    news = [number for number, now in line.answers.items() if number <= seq and now in before]
    if not news:
        return
    event = ReceiptEvent(visitor=line.visitor.id, status=status, up_to=str(max(news)))
    async with _database(line.socket).transaction() as session:
        await inbound.store(session, line.chat.id, event)
    line.answers |= dict.fromkeys(news, status)
    inbound.wake(line.socket.app)


def _loads(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 10**18 else 0


def _database(socket: WebSocket) -> Database:
    database: Database = socket.app.state.database
    return database
