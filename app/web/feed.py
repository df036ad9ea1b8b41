"""The live feed: one reader of the log per process, one serialisation per fact, many sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog
from fastapi import FastAPI

from app.agents.viewer import Viewer
from app.core import facts, metrics, tracing
from app.core.clock import now
from app.core.db import Database, RawConnection
from app.core.errors import Unauthenticated
from app.core.facts import Position
from app.web import frames, rights
from app.web.frames import Frame
from app.web.hub import GOING, RESYNC, SIGN_IN_AGAIN, Connection, Hub, Message
from app.web.lane import Lane

log = structlog.get_logger()

_LOOK_SECONDS = 0.04
_SOON_SECONDS = 0.002
_PAGE = 500
_BREATH = 1000
"""Deliveries after which others on the event loop have their turn."""
_PING_SECONDS = 20.0
_MOST_MISSED = 20_000
_OPEN = b'{"facts":['
_NOBODY = UUID(int=0)
_RIGHTS = frozenset({"agent", "team", "channel"})
_READ = metrics.counter("feed_facts", "Facts the reader of the log handed on.")
_LAG = metrics.histogram(
    "feed_lag_seconds", "From a fact's transaction to the sockets, the oldest of each batch."
)


class Console(Connection):
    """A signed-in agent's socket."""

    viewer: Viewer


def message(fact: bytes, cursor: str) -> Message:
    """The message of one fact; the same object goes to every socket."""
    return Message(_OPEN + fact + b'],"cursor":"' + cursor.encode() + b'"}')


class Feed:
    """Reads the log and hands each fact to those who may see it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hub = Hub()
        self.lane = Lane(database, self.hub)
        self.position = Position(0, 0)
        self.epoch = UUID(int=0)
        self._woken = asyncio.Event()
        self.reader: RawConnection | None = None
        self._pause, self._soon = _LOOK_SECONDS, _SOON_SECONDS
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
        try:
            while True:
                self._woken.clear()
                try:
                    await self._turn()
                except Exception:
                    log.exception("feed.turn_failed")
                    await self._hang_up()
                    self._pause = 0.5
                if self._pause:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pause):
                            await self._woken.wait()
        finally:
            await self._hang_up()

    async def _turn(self) -> None:
        """Read once and give it out; sets for how long to wait for a ring before the next look."""
        if self.reader is None or self.reader.is_closed():
            self.reader = await self.database.connect()
        rows, hidden = await facts.look(self.reader, self.position, limit=_PAGE)
        if rows:
            with tracing.span("feed.batch", facts=len(rows)):
                await self._hand_out(rows)
        if rows or not hidden:
            self._soon = _SOON_SECONDS
        if len(rows) == _PAGE:
            self._pause = 0.0
        elif hidden:  # who hides them mostly ends within milliseconds, and may not ring
            self._pause, self._soon = self._soon, min(self._soon * 2, _LOOK_SECONDS)
        else:
            self._pause = _LOOK_SECONDS

    async def _hand_out(self, rows: list[facts.Row]) -> None:
        if self.hub.connections or self._followers:
            await self._give_all(rows)
        else:
            self.position = rows[-1].position  # nobody is here; who comes catches up by himself
        _READ.inc(len(rows))
        _LAG.observe(max(0.0, (now() - min(row.at for row in rows)).total_seconds()))

    async def _give_all(self, rows: list[facts.Row]) -> None:
        given = 0
        for frame in await self.frames(rows, self.reader):
            given += await self._give(frame)
            if given > _BREATH:
                given = await asyncio.sleep(0, 0)

    async def _hang_up(self) -> None:
        if self.reader is not None:
            with suppress(Exception):
                await self.reader.close(timeout=1)
            self.reader = None

    async def frames(self, rows: list[facts.Row], connection: RawConnection | None = None) -> list[Frame]:
        return await frames.build(self.database, rows, epoch=self.epoch, connection=connection)

    async def _give(self, frame: Frame) -> int:
        given = self.deliver(frame)
        self.position = frame.position  # whoever joins from here on has to catch up to here
        if frame.noun in _RIGHTS:
            await self._recheck(frame)
        return given

    def deliver(self, frame: Frame) -> int:
        """Hand a frame to the sockets of this process; returns how many."""
        cursor = facts.encode(frame.position, epoch=self.epoch)
        seeing = self.hub.holders(frame.audience)
        if seeing:
            shared = message(frame.fact, cursor)
            for connection in seeing:
                connection.push_fact(frame.position, shared)
        if frame.hidden is not None:
            gone = message(frame.hidden, cursor)
            for connection in self.hub.holders(frame.was) - seeing:
                connection.push_fact(frame.position, gone)
        for listener in list(self._followers.get(frame.ids.get("customer_id", _NOBODY), ())):
            listener()
        return len(seeing)

    async def _recheck(self, frame: Frame) -> None:
        """People, teams or channels changed: who sees other things than before takes the state anew."""
        assert self.reader is not None
        id = frame.ids[f"{frame.noun}_id"]
        keys = await rights.touched(self.reader, frame.noun, id)
        consoles = [one for one in self.hub.holders(keys) if isinstance(one, Console)]
        if frame.noun == "agent":  # of his colleagues, only the leads hold keys that are his
            consoles = [one for one in consoles if one.viewer.agent_id == id or one.viewer.role == "lead"]
        try:
            now = await rights.keys_of(self.reader, [console.viewer for console in consoles])
        except Exception:  # who cannot be checked may have lost his right
            for console in consoles:
                console.end(RESYNC)
            raise
        for console, fresh in zip(consoles, now, strict=True):
            if fresh is None:
                console.end(SIGN_IN_AGAIN)
            elif fresh != console.keys:
                console.end(RESYNC)

    async def keys_now(self, of: Viewer) -> frozenset[str]:
        """Keys the viewer holds now; raises `Unauthenticated` when he may not be here any more."""
        (keys,) = await rights.keys_of(self.database.raw, [of])
        if keys is None:
            raise Unauthenticated
        return keys

    async def keep_alive(self) -> None:
        """Tell each console from time to time that its socket lives, and how far the log has come."""
        while True:
            await asyncio.sleep(_PING_SECONDS / 20)
            now = time.monotonic()
            for connection in list(self.hub.connections):
                if now - connection.pinged_at >= _PING_SECONDS:
                    connection.pinged_at = now
                    cursor = facts.encode(max(connection.after, self.position), epoch=self.epoch)
                    connection.push(Message(b'{"ping":1,"cursor":"' + cursor.encode() + b'"}'))

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
        asyncio.create_task(feed.keep_alive()),
        asyncio.create_task(feed.lane.run()),
        asyncio.create_task(
            database.bell.listen(on_facts=feed.wake, on_lane=feed.lane.receive, on_open=feed.lane.ask)
        ),
    ]
    try:
        yield
    finally:
        for connection in list(feed.hub.connections):
            connection.end(GOING)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
