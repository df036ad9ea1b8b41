"""A desk for tests of dialogs: the application with a fake channel, driven step by step.

One database serves a whole module; every test brings its own channel and customers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from app.agents import teams
from app.core.db import Database
from app.core.facts import SYSTEM, Position, Row, head, read
from channels import inbound
from channels.base import Event, RawEvent
from channels.gateway import Gateway
from channels.models import Channel, ChannelTeam
from dialogs import acting, inbox, outbox
from tests.api.conftest import Client, World, make_settings, running
from tests.dialogs import fake
from tests.dialogs.fake import Plain
from tests.helpers import eventually

_keys = count()


@dataclass
class Chat:
    """A channel of a test: what comes in by it and what leaves by it."""

    desk: "Desk"
    id: UUID
    adapter: Plain

    async def store(
        self, *events: Event, key: str | None = None, lane: str = "", raw: bytes = b""
    ) -> list[int]:
        """Store one raw event, as a transport does."""
        event = RawEvent(key or f"k{next(_keys)}", raw or fake.payload(*events), lane)
        async with self.desk.db.transaction() as session:
            return await inbound.store(session, self.id, [event])

    async def hear(self, *events: Event) -> None:
        """Store an event each, and understand them."""
        for event in events:
            await self.store(event)
        await self.desk.understand()

    async def write(self, who: str, text: str = "Hello", **values: Any) -> dict[str, Any]:
        """The customer `who` writes; returns the message's row."""
        id = values.pop("external_id", f"m{next(_keys)}")
        event = fake.message(who, text, external_id=id, **values)
        await self.hear(event)
        return await self.desk.row(
            "select * from messages where channel_id = $1 and chat = $2 and external_id = $3",
            self.id,
            event.chat,
            id,
        )

    async def dialogs(self, who: str) -> list[dict[str, Any]]:
        """The customer's dialogs, oldest first."""
        return await self.desk.rows(
            "select d.* from dialogs d join identities i using (customer_id) "
            "where i.external_id = $1 and i.scope in ($2, 'email', 'everywhere') order by d.number",
            who,
            str(self.id),
        )

    async def messages(self, who: str) -> list[dict[str, Any]]:
        """The customer's thread."""
        return await self.desk.rows(
            "select m.* from messages m join identities i on i.customer_id = m.customer_id "
            "where i.external_id = $1 and i.scope in ($2, 'email', 'everywhere') order by m.seq",
            who,
            str(self.id),
        )


@dataclass
class Desk:
    world: World
    start: Position = field(default_factory=lambda: Position(0, 0))

    @property
    def db(self) -> Database:
        return self.world.database

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.world.app.state.gateway
        return gateway

    @property
    def anna(self) -> Client:
        return self.world.anna

    @property
    def boris(self) -> Client:
        return self.world.boris

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.raw.fetch(sql, *values)]

    async def row(self, sql: str, *values: Any) -> dict[str, Any]:
        (row,) = await self.rows(sql, *values)
        return row

    async def value(self, sql: str, *values: Any) -> Any:
        return await self.db.raw.fetchval(sql, *values)

    async def chat(self, kind: str = "plain", *, team: UUID | None = None, **settings: str) -> Chat:
        """A fresh channel; the support team serves it."""
        async with self.db.transaction() as session:
            channel = Channel(
                kind=fake.NAMES.get(kind, kind),
                name=kind,
                external_id=uuid4().hex,
                webhook_key=uuid4().hex,
                secrets=b"",
                settings=settings,
            )
            session.add(channel)
            await session.flush()
            session.add(ChannelTeam(channel_id=channel.id, team_id=team or self.world.support))
            session.add(ChannelTeam(channel_id=channel.id, team_id=self.world.third))  # type: ignore[attr-defined]
            await session.flush()
            adapter: Any = await self.gateway.adapter(session, channel.id)
        return Chat(self, channel.id, adapter)

    async def understand(self, *, loops: int = 1) -> None:
        """Understand what came, in so many loops at once."""
        turns = (inbox.drain(self.db, self.gateway, self.world.app.state.settings) for _ in range(loops))
        await asyncio.gather(*turns)

    async def send(self, *, loops: int = 1) -> None:
        """Send what may leave now, in so many loops at once."""
        files = self.world.app.state.files
        await asyncio.gather(*(outbox.drain(self.db, self.gateway, files) for _ in range(loops)))

    async def act(self, *, loops: int = 1) -> None:
        """Do on the platforms what was asked for, in so many loops at once."""
        await asyncio.gather(*(acting.drain(self.db, self.gateway) for _ in range(loops)))

    async def sent(self, dialog_id: UUID, text: str = "Yes", **new: Any) -> Any:
        """An answer that has reached its platform."""
        message = await self.answer(dialog_id, text, **new)
        await self.db.raw.execute("update messages set send_after = now() where id = $1", UUID(message["id"]))
        await self.send()
        return message

    async def answer(
        self, dialog_id: UUID, text: str = "Yes", *, by: Client | None = None, **new: Any
    ) -> Any:
        """An agent posts; returns the message, or fails."""
        answer = await self.post(dialog_id, text, by=by, **new)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def post(self, dialog_id: UUID, text: str = "Yes", *, by: Client | None = None, **new: Any) -> Any:
        body = {"client_key": uuid4().hex, "text": text, **new}
        return await (by or self.anna).post(f"/dialogs/{dialog_id}/messages", json=body)

    async def status(self, message: Any) -> str:
        status: str = await self.value("select status from messages where id = $1", UUID(message["id"]))
        return status

    async def again(self) -> None:
        """Let the pauses before the next attempts be over."""
        await self.db.raw.execute("update messages set next_attempt_at = now() where status = 'queued'")
        await self.db.raw.execute("update inbound set next_attempt_at = now() where state = 'new'")
        await self.db.raw.execute("update acts set next_attempt_at = now()")
        await self.db.raw.execute("update channels set frozen_until = null")

    async def facts(self, dialog_id: UUID | None = None) -> list[Row]:
        """Facts since the beginning of the test."""
        await self.horizon()
        rows = await read(self.db.raw, self.start, limit=100_000)
        return [row for row in rows if dialog_id is None or row.ids.get("dialog_id") == dialog_id]

    async def begin(self) -> None:
        """Nothing of the tests before is left to be done."""
        await self.db.raw.execute("update inbound set state = 'ignored' where state = 'new'")
        await self.db.raw.execute(
            "update messages set status = 'cancelled' where status in ('queued', 'sending')"
        )
        await self.db.raw.execute("delete from acts")
        await self.horizon()
        self.start = await head(self.db.raw)

    async def horizon(self) -> None:
        """Wait until everything committed by now can be read: other databases hold the horizon back too."""
        now = await self.value("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        passed = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1"
        await eventually(lambda: self.value(passed, now), every=0.002)


@asynccontextmanager
async def open_desk(database_url: str, folder: Path, **overrides: Any) -> AsyncIterator[Desk]:
    """The application with its people: see `tests.api.conftest.World`. Boris serves nothing here."""
    settings = make_settings(database_url, folder, **{"loops_in_web": False, "pool_size": 10} | overrides)
    async with running(settings) as app:
        database: Database = app.state.database
        async with database.transaction() as session:
            ids = [(await teams.create(session, name=name, actor=SYSTEM)).id for name in ("A", "B", "C")]
        world = World(app, database, ids[0], ids[1], chat=ids[0])
        world.third = ids[2]  # type: ignore[attr-defined]
        await world.add_agent("admin", role="admin")
        await world.add_agent("anna", team_ids=(ids[0],))
        await world.add_agent("boris", team_ids=(ids[1],))
        yield Desk(world)
        for client in world.clients.values():
            await client.aclose()
