"""The worker: pulls channels, understands what came, sends what is queued, fetches files, keeps time."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select

from app import alarm, figures, housekeeping
from app.alarm import Alarm, Work
from app.core import clock, heartbeat, horizon, tracing
from app.core.config import Settings, SettingsError
from app.core.db import Database
from app.core.files import Files, open_files
from app.core.kept import RENEW_SECONDS
from app.core.secrets import open_box
from app.loops import Crew, Loop, together
from channels import adapters, pulling, starting, watchdog
from channels.drafts import load_kind
from channels.gateway import Gateway
from channels.models import Channel
from dialogs import acting, inbox, lifecycle, media, outbox, profiles, routing
from dialogs.lanes import Lanes
from tasks import overdue

log = structlog.get_logger()

_LANES = 4
_SELDOM = 60.0
"""Seconds between looks of their own, for loops that the alarm wakes when there is something to do."""
_FINISH_SECONDS = 3.0
"""For the turns in hand when the worker is told to stop; what takes longer is cancelled."""


async def run(settings: Settings, *, told: asyncio.Event) -> None:
    """Work until told to stop, or cancelled."""
    if settings.database_url is None:
        raise SettingsError("No database: set DATABASE_URL, or start `otklik up`.")
    db = Database(settings.database_url, pool_size=settings.pool_size, nats_url=settings.nats_url)
    await db.open()
    worker = Worker(db, settings, files=open_files(settings))
    try:
        async with tracing.exporting(settings, service="otklik-work"), figures.door(db, settings):
            await worker.run(told)
    finally:
        await adapters.close_all()
        await db.close()


class Worker:
    """The loops of one worker process."""

    def __init__(self, db: Database, settings: Settings, *, files: Files) -> None:
        self.db, self.settings, self.files = db, settings, files
        self.gateway = Gateway(open_box(settings), settings)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._pulls: dict[UUID, tuple[bytes, asyncio.Task[None]]] = {}
        self._pulled: dict[str, bool] = {}
        self._stopping = False
        self.inbox = _crew("inbox", self._understand, size=_LANES)
        self.lanes = Lanes()
        self.outbox = _crew("outbox", self._send, size=self.lanes.count)
        self.acts = _crew("acts", self._act, size=2)
        self.media = _crew("media", self._fetch, size=2)
        self.reap = _crew("reap", self._reap)
        self.snoozed = _crew("snoozed", self._wake)
        self.overdue = _crew("overdue", self._overdue)
        self.profiles = _crew("profiles", self._profile)
        self.starts = _crew("starts", self._start)
        self.crews = (
            *(self.inbox, self.outbox, self.acts, self.media),
            *(self.reap, self.snoozed, self.overdue, self.profiles, self.starts),
        )
        self._look = Loop("look", self._alarm().turn, every=alarm.LONGEST, gap=0.01)
        self.rest = [
            self._look,
            Loop("channels", self._supervise, every=2),
            Loop("renew", self._renew, every=RENEW_SECONDS),
            Loop("watchdog", self._watch, every=watchdog.EVERY),
            Loop("heartbeat", self._beat, every=heartbeat.EVERY),
            Loop("horizon", lambda: horizon.turn(self.db.raw), every=30),
            Loop("housekeeping", self._keep_house, every=housekeeping.EVERY),
        ]

    def _alarm(self) -> Alarm:
        return Alarm(
            self.db,
            {
                "inbox": Work(inbox.DUE, self.inbox.wake),
                "outbox": Work(outbox.DUE, self.outbox.wake),
                "reap": Work(outbox.DUE_ABANDONED, self.reap.wake),
                "acts": Work(acting.DUE, self.acts.wake),
                "media": Work(media.DUE, self.media.wake),
                "snoozed": Work(lifecycle.DUE, self.snoozed.wake),
                "overdue": Work(overdue.DUE, self.overdue.wake),
                "profiles": Work(profiles.DUE, self.profiles.wake),
                "starts": Work(starting.DUE, self.starts.wake),
            },
        )

    @property
    def loops(self) -> list[Loop]:
        return [*(loop for crew in self.crews for loop in crew.loops), *self.rest]

    async def run(self, told: asyncio.Event | None = None) -> None:
        """Until `told` to stop, which lets every loop finish its turn, or until cancelled."""
        self.db.bell.on_ring(self.wake)
        listening = self.db.bell.listen(on_facts=self.wake, on_lane=lambda _text: None)
        beside = [
            asyncio.create_task(listening, name="bell"),
            asyncio.create_task(adapters.warm_up(self.db, fully=True), name="warm-up"),
            asyncio.create_task(clock.follow(self.db.raw), name="clock"),
        ]
        working = asyncio.create_task(together(*self.loops), name="loops")
        try:
            await (told or asyncio.Event()).wait()
            await self._finish(working)
        finally:
            await _cancel(working, *beside, *(task for _, task in self._pulls.values()))
            with suppress(Exception):
                async with self.db.transaction() as session:
                    await heartbeat.end(session, self.name)

    async def _finish(self, working: asyncio.Task[None]) -> None:
        """Give the channels back, for others to pull them at once; let each loop finish its turn."""
        self._stopping = True
        for loop in self.loops:
            loop.stop()
        pulls = [task for _, task in self._pulls.values()]
        for task in pulls:
            task.cancel()
        await asyncio.wait([working, *pulls], timeout=_FINISH_SECONDS)

    def wake(self) -> None:
        """The bell: something was committed somewhere, there may be something to do."""
        self._look.wake()

    async def _understand(self) -> bool:
        return await inbox.turn(self.db, self.gateway, self.settings, taken=self.inbox.wake)

    async def _renew(self) -> None:
        async with self.db.transaction() as session:
            await self.gateway.renew(session)
            await routing.renew(session, self.settings)

    async def _send(self) -> bool:
        return await outbox.turn(self.db, self.gateway, self.files, lanes=self.lanes, taken=self.outbox.wake)

    async def _act(self) -> bool:
        return await acting.turn(self.db, self.gateway)

    async def _fetch(self) -> bool:
        return await media.turn(self.db, self.gateway, self.files, self.settings)

    async def _profile(self) -> bool:
        return await profiles.turn(self.db, self.gateway, self.files, self.settings)

    async def _reap(self) -> bool:
        async with self.db.transaction() as session:
            return await outbox.reap(session) > 0

    async def _wake(self) -> bool:
        async with self.db.transaction() as session:
            return await lifecycle.wake(session) > 0

    async def _overdue(self) -> bool:
        async with self.db.transaction() as session:
            return await overdue.turn(session) > 0

    async def _watch(self) -> None:
        async with self.db.transaction() as session:
            await watchdog.turn(session)

    async def _keep_house(self) -> None:
        await housekeeping.turn(self.db, self.files, self.settings)

    async def _beat(self) -> None:
        failing = [loop.name for loop in self.loops if loop.failing]
        detail = {"failing": failing, "pulls": len(self._pulls), "pools": self.db.in_use()}
        async with self.db.transaction() as session:
            await heartbeat.beat(session, self.name, detail=detail)

    async def _start(self) -> bool:
        return await starting.turn(self.db, self.gateway.box, self.settings)

    async def _supervise(self) -> None:
        """A pulling task for every active channel; a new one when its settings changed."""
        async with self.db.transaction() as session:
            channels = list(await session.scalars(select(Channel).where(Channel.state == "active")))
        wanted = {
            channel.id: adapters.version(channel) for channel in channels if await self._pull_of(channel)
        }
        for channel_id, (version, task) in list(self._pulls.items()):
            if wanted.get(channel_id) != version or task.done():
                await _cancel(task)
                del self._pulls[channel_id]
        for channel_id, version in wanted.items():
            if channel_id not in self._pulls and not self._stopping:
                self._pulls[channel_id] = (version, asyncio.create_task(self._pull(channel_id)))

    async def _pull(self, channel_id: UUID) -> None:
        await pulling.pull(
            self.db, self.gateway, channel_id, holder=f"{self.name}:{channel_id}", wake=self.inbox.wake
        )

    async def _pull_of(self, channel: Channel) -> bool:
        """Whether the channel has to be asked for its events."""
        if channel.kind not in self._pulled:
            adapter = await load_kind(channel.kind)
            self._pulled[channel.kind] = "poll" in adapter.capabilities.inbound
        return self._pulled[channel.kind] and channel.settings.get("transport", "poll") == "poll"


def _crew(name: str, turn: Callable[[], Awaitable[bool]], *, size: int = 1) -> Crew:
    return Crew(*(Loop(f"{name}-{number}", turn, every=_SELDOM) for number in range(size)))


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
