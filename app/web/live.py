"""The websocket of the console: `/api/v1/live?after=cursor`.

A client reads state with a cursor, connects after that cursor, gets what it missed and then what
happens. A plain ASGI endpoint: nothing stands between the feed and the socket.
"""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import orjson
import structlog
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.agents import auth
from app.core import facts, metrics
from app.core.errors import AppError, TooMany, Unauthenticated
from app.core.facts import Position
from app.web import wire
from app.web.admission import REFUSED, TRY_AGAIN
from app.web.door import TOO_MANY, Door
from app.web.feed import Console, Feed, message
from app.web.hub import RESYNC, SIGN_IN_AGAIN, Message
from dialogs import access

log = structlog.get_logger()

_CLOSE_SECONDS = 2
_FOREIGN = 4403
_LARGEST = 4096
_OPENED = metrics.counter("live_connects", "Consoles' websockets that came.")
_CLOSED = metrics.counter("live_closes", "Consoles' websockets that ended, by close code.", "code")


class Live:
    """ASGI application of the console's socket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _OPENED.inc()
        socket = WebSocket(scope, receive, send)
        feed: Feed = socket.app.state.feed
        door: Door = socket.app.state.door
        if len(feed.hub.connections) >= socket.app.state.settings.max_sockets:
            REFUSED.labels("consoles").inc()
            await _refuse(socket, TRY_AGAIN)
            return
        if not auth.same_origin(socket, socket.app.state.settings):
            await _refuse(socket, _FOREIGN)
            return
        if not door.admits(socket):
            await _refuse(socket, TOO_MANY)
            return
        try:
            connection, after = await self._enter(socket, feed, send)
        except TooMany:
            await _refuse(socket, TOO_MANY)
        except Unauthenticated:
            door.refused(socket)
            await _refuse(socket, SIGN_IN_AGAIN)
        except AppError:
            await _refuse(socket, RESYNC)
        else:
            door.welcomed(socket)
            await self._serve(socket, feed, connection, after)

    async def _enter(self, socket: WebSocket, feed: Feed, send: Send) -> tuple[Console, Position]:
        after = facts.decode(socket.query_params.get("after", ""), epoch=feed.epoch)
        async with feed.database.transaction() as session:
            viewer = await auth.authenticate(session, socket)
        viewer.need("read")
        door: Door = socket.app.state.door
        if len(feed.hub.holders([f"self:{viewer.agent_id}"])) >= door.most:
            raise TooMany
        keys = await feed.keys_now(viewer)
        write = socket.scope.get("extensions", {}).get(wire.EXTENSION, {}).get("write")
        connection = Console(send, keys, after=after, write_frame=write)
        connection.viewer = viewer
        return connection, after

    async def _serve(self, socket: WebSocket, feed: Feed, connection: Console, after: Position) -> None:
        await socket.accept()
        name = uuid4().hex
        feed.hub.join(connection)
        work = {
            asyncio.create_task(self._catch_up(feed, connection, after, name)),
            hearing := asyncio.create_task(self._hear(socket, feed, connection, name)),
        }
        for task in work:
            task.add_done_callback(work.discard)
        hearing.add_done_callback(lambda _: connection.end(1000))
        try:
            await connection.closed.wait()
        finally:
            feed.hub.leave(connection)
            feed.lane.leave(name)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await connection.drop()
            _CLOSED.labels(connection.close_code).inc()
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):  # who does not read cannot be told
                    await socket.close(connection.close_code)

    async def _catch_up(self, feed: Feed, connection: Console, after: Position, name: str) -> None:
        """Send what was missed; what happens meanwhile is held back until then."""
        try:
            if await feed.keys_now(connection.viewer) != connection.keys:
                raise facts.Resync  # his rights changed before he was among the connections
            async for frame in feed.missed(connection.keys, after):
                fact = frame.fact if connection.keys & frame.audience else frame.hidden
                if fact is not None:
                    connection.after = frame.position
                    cursor = facts.encode(frame.position, epoch=feed.epoch)
                    await connection.write(message(fact, cursor))
        except Unauthenticated:
            connection.end(SIGN_IN_AGAIN)
            return
        except facts.Resync:
            connection.end(RESYNC)
            return
        except Exception:
            log.exception("live.catch_up_failed")
            connection.end(1011)
            return
        connection.release()
        feed.lane.arrive(name, connection.viewer.agent_id)
        presence = {"lane": "presence", "agents": feed.lane.presence()}
        connection.push(Message(orjson.dumps(presence)))

    async def _hear(self, socket: WebSocket, feed: Feed, connection: Console, name: str) -> None:
        """What the console says on the lane; broken or foreign words are dropped."""
        while True:
            try:
                text = await socket.receive_text()
            except (WebSocketDisconnect, KeyError, RuntimeError):
                return
            if len(text) > _LARGEST:
                continue
            with suppress(ValueError, TypeError, KeyError, AttributeError, AppError):
                await self._said(feed, connection, name, orjson.loads(text))

    async def _said(self, feed: Feed, connection: Console, name: str, said: dict[str, object]) -> None:
        kind = said["lane"]
        if kind == "presence" and said["state"] in ("active", "away"):
            feed.lane.say(name, state=str(said["state"]))
        elif kind == "viewing":
            dialog_id = said["dialog_id"]
            if dialog_id is not None:
                await self._audience(feed, connection, UUID(str(dialog_id)))
            feed.lane.say(name, viewing=str(dialog_id) if dialog_id else None)
        elif kind == "typing":
            dialog_id = UUID(str(said["dialog_id"]))
            keys, chat = await self._audience(feed, connection, dialog_id)
            note = bool(said.get("note"))
            body = {"agent_id": str(connection.viewer.agent_id), "note": note}
            feed.lane.typing(dialog_id, keys=keys, body=body, chat="" if note else chat)

    async def _audience(self, feed: Feed, connection: Console, dialog_id: UUID) -> tuple[frozenset[str], str]:
        """Who sees the dialog, when the speaker does; and the visitor's chat it last came from."""
        async with feed.database.transaction() as session:
            dialog = await access.access_dialog(session, connection.viewer, dialog_id)
            keys = (await access.audiences(session, [dialog_id]))[dialog_id]
            return keys, await access.last_chat(session, dialog)


async def _refuse(socket: WebSocket, code: int) -> None:
    """Accept, then close: a browser shows a close code only of an open socket."""
    await socket.accept()
    await socket.close(code)
    _CLOSED.labels(code).inc()


PATH = "/api/v1/live"
_live = Live()
routes = [WebSocketRoute(PATH, _live, name="live")]


class Shortcut:
    """Leads consoles' sockets past what is there for requests: thousands of them wait all day, and every
    layer in between would hold a stack frame of each."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == PATH:
            await _live(scope, receive, send)
        else:
            await self.app(scope, receive, send)
