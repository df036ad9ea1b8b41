"""The worker: pulls channels, understands what came, sends what is queued, fetches files, keeps time."""

import asyncio
import os
import socket
from contextlib import suppress
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select

from app.core import heartbeat
from app.core.bell import listen
from app.core.config import Settings, SettingsError
from app.core.db import Database
from app.core.files import Files, open_files
from app.core.secrets import open_box
from app.loops import Loop, together
from channels import adapters, pulling
from channels.drafts import load_kind
from channels.gateway import Gateway
from channels.models import Channel
from dialogs import inbox, lifecycle, media, outbox, profiles
from tasks import overdue

log = structlog.get_logger()

_LANES = 4


async def run(settings: Settings) -> None:
    """Work until cancelled."""
    if settings.database_url is None:
        raise SettingsError("No database: set DATABASE_URL, or start `otklik up`.")
    db = Database(settings.database_url, pool_size=settings.pool_size)
    await db.open()
    worker = Worker(db, settings, files=open_files(settings))
    try:
        await worker.run()
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
        self.inbox = [Loop(f"inbox-{n}", self._understand, every=0.5) for n in range(_LANES)]
        self.outbox = [Loop(f"outbox-{n}", self._send, every=0.25) for n in range(_LANES)]
        self.media = [Loop(f"media-{n}", self._fetch, every=1) for n in range(2)]
        self.rest = [
            Loop("reap", self._reap, every=5),
            Loop("snoozed", self._wake, every=1),
            Loop("overdue", self._overdue, every=1),
            Loop("profiles", self._profile, every=2),
            Loop("channels", self._supervise, every=1),
            Loop("heartbeat", self._beat, every=heartbeat.EVERY),
        ]

    async def run(self) -> None:
        self.db.bell.on_ring(self.wake)
        listening = asyncio.create_task(
            listen(self.db.url, on_facts=self.wake, on_lane=lambda _text: None), name="bell"
        )
        try:
            await together(*self.inbox, *self.outbox, *self.media, *self.rest)
        finally:
            tasks = [listening, *(task for _, task in self._pulls.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(Exception):
                async with self.db.transaction() as session:
                    await heartbeat.end(session, self.name)

    def wake(self) -> None:
        """Facts were committed somewhere: there may be something to send or to fetch."""
        for loop in (*self.outbox, *self.media):
            loop.wake()

    def _arrived(self) -> None:
        for loop in self.inbox:
            loop.wake()

    async def _understand(self) -> bool:
        return await inbox.turn(self.db, self.gateway, self.settings)

    async def _send(self) -> bool:
        return await outbox.turn(self.db, self.gateway, self.files)

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

    async def _beat(self) -> None:
        loops = (*self.inbox, *self.outbox, *self.media, *self.rest)
        detail = {"failing": [loop.name for loop in loops if loop.failing], "pulls": len(self._pulls)}
        async with self.db.transaction() as session:
            await heartbeat.beat(session, self.name, detail=detail)

    async def _supervise(self) -> None:
        """A pulling task for every active channel; a new one when its settings changed."""
        async with self.db.transaction() as session:
            channels = list(await session.scalars(select(Channel).where(Channel.state == "active")))
        wanted = {channel.id: adapters.version(channel) for channel in channels if await _pulls(channel)}
        for channel_id, (version, task) in list(self._pulls.items()):
            if wanted.get(channel_id) != version or task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                del self._pulls[channel_id]
        for channel_id, version in wanted.items():
            if channel_id not in self._pulls:
                self._pulls[channel_id] = (version, asyncio.create_task(self._pull(channel_id)))

    async def _pull(self, channel_id: UUID) -> None:
        await pulling.pull(
            self.db, self.gateway, channel_id, holder=f"{self.name}:{channel_id}", wake=self._arrived
        )


async def _pulls(channel: Channel) -> bool:
    """Whether the channel has to be asked for its events."""
    if "poll" not in (await load_kind(channel.kind)).capabilities.inbound:
        return False
    return bool(channel.settings.get("transport", "poll") == "poll")
