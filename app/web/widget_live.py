"""The visitor's websocket: what is new in his thread, typing, and what he has read.

A connection looks at the thread when the feed says that something happened to its customer, and now
and then by itself. It sends what it has not sent yet: an answer becomes visible when it leaves, so
its number may lie below one that was shown already.
"""

import asyncio
import time
from contextlib import ExitStack, suppress
from typing import Any
from uuid import UUID

import orjson
from fastapi import WebSocket, WebSocketDisconnect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import AppError, Forbidden, NotFound, TooMany, Unauthenticated
from app.web import widget_history as history
from app.web import widget_inbound as inbound
from app.web import widget_limits as limits
from app.web import widget_visitors as visitors
from app.web.hub import GOING
from app.web.widget_history import PublicMessage
from app.web.widget_hub import Line, hub
from channels.webchat.parse import ReceiptEvent
from dialogs import access

LOOK = 10.0
"""Seconds after which a connection looks without being woken."""
LOOK_SOON = 0.2
"""… while a first message is being understood, of somebody nobody knows yet."""
PING = 20.0
PATIENCE = 15.0
TYPING = 2.0

_CODES: list[tuple[type[AppError], int]] = [
    (Unauthenticated, 4401),
    (Forbidden, 4403),
    (NotFound, 4404),
    (TooMany, 4429),
]


async def serve(socket: WebSocket, channel_id: UUID, *, token: str | None, after: int) -> None:
    """Carry one connection from its first message to its end."""
    await socket.accept()
    try:
        line = await _sign_in(socket, channel_id, token=token, after=after)
        with hub(socket.app).open(line), ExitStack() as ends:
            lane = socket.app.state.lane
            ends.callback(lane.listen(f"{line.chat.id}:{line.visitor.id}", line.agent_types))
            ends.callback(line.unfollow)
            await _carry(line)
        if line.going:
            await _close(socket, GOING)
    except AppError as error:
        await _close(socket, next((code for kind, code in _CODES if isinstance(error, kind)), 1011))
    except (DBAPIError, OSError):  # TimeoutError is one: too slow, or the database is away
        await _close(socket, 1013)
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
    async with socket.app.state.database.transaction() as session:
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


# --- to the visitor -------------------------------------------------------------------------


async def _speak(line: Line) -> None:
    await _tell_news(line, first=True)
    spoken = time.monotonic()
    while True:
        soon = line.customer_id is None and line.expecting_until > time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SOON if soon else min(LOOK, PING)):
                await line.woken.wait()
        line.woken.clear()
        if line.going:
            return
        if line.typing:
            line.typing = False
            await _send(line, {"typing": True})
        if line.changed or not line.customer_id or time.monotonic() - line.looked_at >= LOOK:
            await _tell_news(line)
        if time.monotonic() - spoken >= PING:
            spoken = time.monotonic()
            await _send(line, {"ping": 1})


async def _tell_news(line: Line, *, first: bool = False) -> None:
    line.changed, line.looked_at = False, time.monotonic()
    async with line.database.transaction() as session:
        # Paused meanwhile: the connection ends.
        line.chat = await visitors.access_chat(session, line.chat.id)
        await _follow(session, line)
        whose: dict[str, Any] = {"channel_id": line.chat.id, "visitor_id": line.visitor.id}
        names = line.chat.settings.agent_names
        if first:
            found = await history.since(session, **whose, names=names, after=line.after)
        else:
            found, _ = await history.page(session, **whose, names=names)
    news = _unsent(line, found)
    if news or first:
        await _send(line, {"messages": [message.model_dump(mode="json") for message in news]})


async def _follow(session: AsyncSession, line: Line) -> None:
    """Be woken by what happens to the visitor's customer, who may become another (a personal link)."""
    identity = await history.find_identity(session, channel_id=line.chat.id, visitor_id=line.visitor.id)
    customer_id = identity.customer_id if identity else None
    if customer_id != line.customer_id and customer_id is not None:
        line.unfollow()
        line.customer_id = customer_id
        line.end_following = line.socket.app.state.feed.follow(customer_id, line.wake)


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


# --- from the visitor -----------------------------------------------------------------------


async def _listen(line: Line) -> None:
    while True:
        said = _loads(await line.socket.receive_text())
        try:
            limits.take(line.socket, "read", visitor=line.visitor.id)
        except TooMany:
            continue  # typing and receipts may drop
        if said.get("typing") is True:
            await _typing(line)
        if seq := _number(said.get("read_up_to")):
            await _report(line, "read", seq)
        elif seq := _number(said.get("delivered_up_to")):
            await _report(line, "delivered", seq)


async def _typing(line: Line) -> None:
    """Tell the agents who see the visitor's open dialog, on the lane that may drop."""
    if line.customer_id is None or time.monotonic() - line.typed_at < TYPING:
        return
    line.typed_at = time.monotonic()
    async with line.database.transaction() as session:
        dialog_id = await history.find_open_dialog(session, line.customer_id)
        if dialog_id is None:
            return
        keys = (await access.audiences(session, [dialog_id]))[dialog_id]
    line.socket.app.state.lane.typing(dialog_id, keys=keys, body={"customer": True, "note": False})


async def _report(line: Line, status: Any, seq: int) -> None:
    """Store the receipt as a raw event, unless it says nothing new."""
    before = ("sent", "delivered") if status == "read" else ("sent",)
    news = [number for number, now in line.answers.items() if number <= seq and now in before]
    if not news:
        return
    event = ReceiptEvent(visitor=line.visitor.id, status=status, up_to=str(max(news)))
    async with line.database.transaction() as session:
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
