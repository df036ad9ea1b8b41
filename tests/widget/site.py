"""A site chat on a real server, the inbox and outbox behind it, and an agent who answers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware import Middleware
from websockets.asyncio.client import ClientConnection, connect

from app.agents import viewer
from app.agents.models import Agent
from app.core.config import Settings
from app.core.db import Database
from app.core.files import Files, open_files
from app.core.secrets import Box
from app.web import feed, limits, problems, static, widget
from channels.base import Account, Adapter
from channels.models import Channel, Inbound
from channels.webchat.adapter import WebchatAdapter
from channels.webchat.settings import WebchatSettings
from dialogs import inbox, messages, outbox
from dialogs.models import Dialog, Identity, Message
from dialogs.schemas import MessageNew

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


class Gateway:
    def known(self, channel_id: UUID) -> Adapter | None:
        return None

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter:
        return WebchatAdapter(account(channel_id))


def account(channel_id: UUID | None = None, **settings: Any) -> Account:
    return Account(
        id=channel_id or uuid4(),
        name="Site",
        settings=WebchatSettings(**settings),
        webhook_url="https://desk.test/hooks/key",
        webhook_secret="",
    )


@dataclass
class Site:
    """What tests hold: the address, the channel, and the desk behind it."""

    url: str
    app: FastAPI
    db: Database
    settings: Settings
    files: Files
    channel_id: UUID
    agent_id: UUID
    http: httpx.AsyncClient
    _count: int = field(default=0)

    def path(self, rest: str, channel_id: UUID | str | None = None) -> str:
        return f"/widget/v1/{channel_id or self.channel_id}/{rest}"

    async def visitor(self, **body: Any) -> "Visitor":
        answer = await self.http.post(self.path("session"), json=body)
        assert answer.status_code == 200, answer.text
        return Visitor(self, answer.json())

    async def add_channel(self, **values: Any) -> UUID:
        async with self.db.transaction() as session:
            id = uuid4()
            session.add(
                Channel(
                    **{
                        "id": id,
                        "kind": "webchat",
                        "name": "Site",
                        "external_id": id.hex,
                        "secrets": b"",
                        "webhook_key": id.hex,
                        **values,
                    }
                )
            )
        return id

    async def change_channel(self, **values: Any) -> None:
        async with self.db.transaction() as session:
            channel = await session.get_one(Channel, self.channel_id)
            for name, value in values.items():
                setattr(channel, name, value)

    async def understand(self) -> None:
        """Let the inbox understand what is stored."""
        await inbox.drain(self.db, Gateway(), self.settings)

    async def deliver(self) -> None:
        """Let the outbox send what is queued."""
        await outbox.drain(self.db, Gateway(), self.files)

    async def answer(self, to: "Visitor", text: str, *, direction: str = "out", sent: bool = True) -> UUID:
        """The agent writes in the visitor's dialog."""
        async with self.db.transaction() as session:
            agent = await viewer.load(session, self.agent_id)
            found = await session.scalars(
                select(Dialog.id)
                .join(Identity, Identity.customer_id == Dialog.customer_id)
                .where(Identity.external_id == to.id)
                .order_by(Dialog.number.desc())
            )
            dialog_id = found.first()
            assert dialog_id is not None, "the visitor's message is not understood yet"
            new = MessageNew(client_key=uuid4().hex, direction=direction, text=text)  # type: ignore[arg-type]
            message_id = await messages.post(session, agent, dialog_id, new, settings=self.settings)
        if sent:
            await self.deliver()
        return message_id

    async def message(self, id: UUID) -> Message:
        async with self.db.transaction() as session:
            return await session.get_one(Message, id)

    async def raw(self) -> list[Inbound]:
        async with self.db.transaction() as session:
            return list(await session.scalars(select(Inbound).order_by(Inbound.id)))

    async def thread(self) -> list[Message]:
        async with self.db.transaction() as session:
            return list(await session.scalars(select(Message).order_by(Message.seq)))


@dataclass
class Visitor:
    """Somebody on the site, with what his page knows."""

    site: Site
    session: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.session["visitor_id"])

    @property
    def token(self) -> str:
        return str(self.session["token"])

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Otklik-Visitor": self.token}

    async def post(self, text: str = "", *, key: str | None = None, **more: Any) -> httpx.Response:
        body = {"client_key": key or str(uuid4()), "text": text, **more}
        return await self.site.http.post(self.site.path("messages"), json=body, headers=self.headers)

    async def write(self, text: str = "", **more: Any) -> dict[str, Any]:
        answer = await self.post(text, **more)
        assert answer.status_code == 201, answer.text
        await self.site.understand()
        return dict(answer.json())

    async def upload(self, name: str, data: bytes, mime: str = "application/octet-stream") -> httpx.Response:
        return await self.site.http.post(
            self.site.path("files"), files={"file": (name, data, mime)}, headers=self.headers
        )

    async def history(self) -> list[dict[str, Any]]:
        answer = await self.site.http.get(self.site.path("messages"), headers=self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    @asynccontextmanager
    async def live(self, after: int = 0, **connection: Any) -> AsyncIterator["Live"]:
        url = self.site.url.replace("http", "ws") + self.site.path("live")
        async with connect(url, **connection) as socket:
            await socket.send(orjson.dumps({"token": self.token, "after": after}).decode())
            yield Live(socket)


@dataclass
class Live:
    """The visitor's websocket."""

    socket: ClientConnection

    async def next(self, name: str = "messages", timeout: float = 10) -> Any:
        """The next news of a kind."""
        async with asyncio.timeout(timeout):
            while True:
                said = orjson.loads(await self.socket.recv())
                if name in said:
                    return said[name]

    async def say(self, **message: Any) -> None:
        await self.socket.send(orjson.dumps(message).decode())


def application(settings: Settings, database: Database) -> FastAPI:
    """The public part of the server alone."""
    app = FastAPI(middleware=[Middleware(layer) for layer in limits.around(settings)], redirect_slashes=False)
    app.state.settings, app.state.database = settings, database
    app.state.box, app.state.files = Box(b"k" * 32), open_files(settings)
    app.state.inbox_wake = None
    problems.install(app)
    app.include_router(widget.router)
    app.router.routes.extend(static.routes())
    return app


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Run `app` on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await running
        listener.close()


@asynccontextmanager
async def open_site(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """A site with one chat and one agent."""
    chosen = Settings(**{"data_dir": folder, "undo_seconds": 0, "database_url": database_url, **settings})
    database = Database(database_url)
    await database.open()
    app = application(chosen, database)
    try:
        async with feed.part(app), serving(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            async with database.transaction() as session:
                agent = Agent(name="Анна", email="anna@example.test", role="admin")
                session.add(agent)
                await session.flush()
            site = Site(url, app, database, chosen, app.state.files, uuid4(), agent.id, http)
            site.channel_id = await site.add_channel()
            yield site
    finally:
        await database.close()
