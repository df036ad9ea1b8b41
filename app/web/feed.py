"""The live feed: one reader of the log per process, one serialisation per fact, many sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import sessions, tokens, viewer
from app.agents.viewer import Viewer
from app.core import facts
from app.core.bell import listen
from app.core.db import Database
from app.core.errors import Unauthenticated
from app.core.facts import Position
from app.web import frames
from app.web.frames import Frame
from app.web.hub import GOING, RESYNC, SIGN_IN_AGAIN, Connection, Hub
from app.web.lane import Lane
from dialogs import access

log = structlog.get_logger()

_LOOK_SECONDS = 0.04
_PAGE = 500
_MOST_MISSED = 20_000
_OPEN = b'{"facts":['
_NOBODY = UUID(int=0)


class Console(Connection):
    """A signed-in agent's socket."""

    viewer: Viewer


def message(fact: bytes, cursor: str) -> dict[str, str]:
    """The ASGI message of one fact; the same object goes to every socket."""
    text = _OPEN + fact + b'],"cursor":"' + cursor.encode() + b'"}'
    return {"type": "websocket.send", "text": text.decode()}


class Feed:
    """Reads the log and hands each fact to those who may see it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hub = Hub()
        self.lane = Lane(database, self.hub)
        self.position = Position(0, 0)
        self.epoch = UUID(int=0)
        self._woken = asyncio.Event()
        self._followers: dict[UUID, set[Callable[[], None]]] = {}

    async def open(self) -> None:
        async with self.database.transaction() as session:
            self.epoch = await facts.epoch(session)
        self.position = await facts.head(self.database.raw)
        self.database.bell.on_ring(self.wake)

    def follow(self, customer_id: UUID, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever something happened to the customer; returns what ends that."""
        self._followers.setdefault(customer_id, set()).add(listener)

        def end() -> None:
            self._followers.get(customer_id, set()).discard(listener)
            if not self._followers.get(customer_id):
                self._followers.pop(customer_id, None)

        return end

    def wake(self) -> None:
        """There may be something new."""
        self._woken.set()

    async def run(self) -> None:
        """Read for ever; survives the database's absence."""
        while True:
            try:
                more = await self._turn()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("feed.turn_failed")
                await asyncio.sleep(0.5)
                continue
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):  # wait_for loses cancellations before 3.12
                        await self._woken.wait()
                self._woken.clear()

    async def _turn(self) -> bool:
        rows = await facts.read(self.database.raw, self.position, limit=_PAGE)
        if not rows:
            return False
        for frame in await self.frames(rows):
            await self._give(frame)
        return True

    async def frames(self, rows: list[facts.Row]) -> list[Frame]:
        async with self.database.transaction() as session:
            return await frames.build(session, rows, epoch=self.epoch)

    async def _give(self, frame: Frame) -> None:
        self.deliver(frame)
        self.position = frame.position  # whoever joins from here on has to catch up to here
        if frame.type.split(".")[0] in ("agent", "team", "channel"):
            await self._recheck(frame)

    def deliver(self, frame: Frame) -> None:
        """Hand a frame to the sockets of this process."""
        cursor = facts.encode(frame.position, epoch=self.epoch)
        seeing = self.hub.holders(frame.audience)
        shared = message(frame.fact, cursor)
        for connection in seeing:
            connection.push_fact(frame.position, shared)
        if frame.hidden is not None:
            gone = message(frame.hidden, cursor)
            for connection in self.hub.holders(frame.was) - seeing:
                connection.push_fact(frame.position, gone)
        for listener in list(self._followers.get(frame.ids.get("customer_id", _NOBODY), ())):
            listener()

    async def _recheck(self, frame: Frame) -> None:
        """People, teams or channels changed: who sees other things than before takes the state anew."""
        for connection in list(self.hub.connections):
            if not isinstance(connection, Console):
                continue
            try:
                async with self.database.transaction() as session:
                    keys = await self.keys_now(session, connection.viewer)
            except Unauthenticated:
                connection.end(SIGN_IN_AGAIN)
                continue
            except Exception:  # who cannot be checked may have lost his right
                log.exception("feed.recheck_failed")
                connection.end(RESYNC)
                continue
            if keys != connection.keys:
                connection.end(RESYNC)

    async def keys_now(self, session: AsyncSession, of: Viewer) -> frozenset[str]:
        """Keys the viewer holds now; raises `Unauthenticated` when he may not be here any more."""
        if of.session_id and of.session_id not in await sessions.find_live(
            session, session_ids=[of.session_id]
        ):
            raise Unauthenticated
        if of.token_id and not await tokens.is_live(session, of.token_id):
            raise Unauthenticated
        fresh = await viewer.load(session, of.agent_id, scopes=of.scopes, session_id=of.session_id)
        served = await access.served_channels(session, fresh)
        return access.keys(fresh, channel_ids=served)

    async def missed(self, keys: frozenset[str], after: Position) -> AsyncIterator[Frame]:
        """Frames between `after` and the reader's place that the keys open; raises `facts.Resync`."""
        target, seen = self.position, 0
        while after < target:
            rows = [
                row
                for row in await facts.read(self.database.raw, after, limit=_PAGE)
                if row.position <= target
            ]
            await facts.need_kept(self.database.raw, after)
            if not rows:
                return
            seen += len(rows)
            if seen > _MOST_MISSED:
                raise facts.Resync
            for frame in await self.frames(rows):
                if keys & (frame.audience | frame.was):
                    yield frame
            after = rows[-1].position


@asynccontextmanager
async def part(app: FastAPI) -> AsyncIterator[None]:
    """Start the feed with the program; stop it before the database closes."""
    database: Database = app.state.database
    feed = Feed(database)
    await feed.open()
    app.state.feed, app.state.lane = feed, feed.lane
    loops = [
        asyncio.create_task(feed.run()),
        asyncio.create_task(feed.lane.run()),
        asyncio.create_task(listen(database.url, on_facts=feed.wake, on_lane=feed.lane.receive)),
    ]
    try:
        yield
    finally:
        for connection in list(feed.hub.connections):
            connection.end(GOING)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
