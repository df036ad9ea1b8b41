"""A running application per test, and `world`: people of every role in two teams, signed in.

    async def test_x(world):
        answer = await world.anna.get("/dialogs")     # paths are under /api/v1

`world.admin`, `.lead`, `.anna`, `.boris` are signed-in clients (cookie and CSRF header) with `.id` and
`.agent_id`; `world.support` and `world.sales` are ids of teams; `world.chat` is a channel of kind api
that the support team serves. anna and lead are in support, boris is in sales, the admin is in no team.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import people, sessions, teams, tokens
from app.agents.auth import COOKIE
from app.agents.people import NewAgent
from app.core.config import Settings
from app.core.db import Database
from app.core.facts import SYSTEM
from app.core.models import Installation
from app.core.secrets import Box, new_key
from app.main import create_app
from app.web.wire import FrameProtocol
from channels import accounts
from channels.models import Channel
from tests.helpers import eventually

ADDRESS = "http://desk.test"
PREFIX = "/api/v1"


class Client(httpx.AsyncClient):
    """Talks to the application under test; relative paths are under `/api/v1`."""

    agent_id: UUID
    """Who is signed in, when somebody is."""

    async def request(self, method: str, url: Any, **kwargs: Any) -> httpx.Response:
        path = str(url)
        if path.startswith("/") and not path.startswith(OUTSIDE):
            path = PREFIX + path
        return await super().request(method, path, **kwargs)

    @property
    def id(self) -> str:
        """`agent_id` as it stands in JSON."""
        return str(self.agent_id)


OUTSIDE = ("/api/", "/hooks/", "/widget", "/healthz", "/readyz", "/assets/", "/demo-chat")


def make_settings(database_url: str, folder: Path, **overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": database_url,
        "data_dir": folder,
        "secret_key": new_key(),
        "public_url": ADDRESS,
        "undo_seconds": 0,
    }
    return Settings(_env_file=None, **(values | overrides))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started; stopped afterwards."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        async with app.state.database.transaction() as session:
            if await session.get(Installation, True) is None:
                session.add(Installation(only=True))
        yield app


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    async with running(settings) as app:
        yield app


@pytest.fixture
def database(app: FastAPI) -> Database:
    return app.state.database  # type: ignore[no-any-return]


@pytest.fixture
def box(app: FastAPI) -> Box:
    return app.state.box  # type: ignore[no-any-return]


@asynccontextmanager
async def serve(app: Any, *, ws: Any = FrameProtocol) -> AsyncIterator[str]:
    """Any ASGI application behind a real server on a free port of the loopback; yields its address.

    It has to be started already: the server leaves its lifespan alone.
    """
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, ws=ws, ws_ping_interval=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    running = asyncio.create_task(server._serve([listener]))
    await eventually(lambda: server.started or running.done())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


def make_client(app: FastAPI, **headers: str) -> Client:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("203.0.113.7", 4711))
    return Client(transport=transport, base_url=ADDRESS, headers=headers)


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[Client]:
    """Nobody: no cookie, no token."""
    async with make_client(app) as client:
        yield client


@dataclass
class World:
    """Everybody and everything a test usually needs. See the module."""

    app: FastAPI
    database: Database
    support: UUID
    sales: UUID
    chat: UUID
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def admin(self) -> Client:
        return self.clients["admin"]

    @property
    def lead(self) -> Client:
        return self.clients["lead"]

    @property
    def anna(self) -> Client:
        return self.clients["anna"]

    @property
    def boris(self) -> Client:
        return self.clients["boris"]

    async def add_agent(self, name: str, *, role: str = "agent", team_ids: tuple[UUID, ...] = ()) -> Client:
        """Another agent `name@desk.test`, signed in."""
        async with self.database.transaction() as session:
            new = NewAgent(name=name.title(), email=f"{name}@desk.test", password_hash=None, role=role)
            agent = await people.create(session, new, actor=SYSTEM, team_ids=team_ids)
        self.clients[name] = client = await self.sign_in(agent.id)
        return client

    async def sign_in(self, agent_id: UUID) -> Client:
        """Another browser of an agent."""
        async with self.database.transaction() as session:
            _, token = await sessions.start(
                session, agent_id=agent_id, user_agent="test", ttl=timedelta(days=1)
            )
        client = make_client(self.app, **{"X-Otklik": "1"})
        client.cookies.set(COOKIE, token)
        client.agent_id = agent_id
        self.clients[f"{agent_id} {token}"] = client
        return client

    async def program(self, agent_id: UUID, *scopes: str) -> Client:
        """A program with an API token of an agent."""
        async with self.database.transaction() as session:
            _, text = await tokens.issue(session, agent_id=agent_id, name="test", scopes=list(scopes))
        client = make_client(self.app, Authorization=f"Bearer {text}")
        client.agent_id = agent_id
        self.clients[text] = client
        return client

    async def add_channel(
        self, name: str, *, team_ids: tuple[UUID, ...], kind: str = "api", **values: Any
    ) -> UUID:
        channel = await accounts.connect(
            self.database,
            self.app.state.box,
            self.app.state.settings,
            kind=kind,
            name=name,
            values=values,
            team_ids=team_ids,
        )
        return channel.id

    async def run(self, action: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        """`await world.run(lambda session: …)`: one transaction."""
        async with self.database.transaction() as session:
            return await action(session)


@pytest.fixture
async def world(app: FastAPI) -> AsyncIterator[World]:
    database: Database = app.state.database
    async with database.transaction() as session:
        support = await teams.create(session, name="Support", actor=SYSTEM)
        sales = await teams.create(session, name="Sales", actor=SYSTEM)
    world = World(app, database, support.id, sales.id, chat=support.id)
    await world.add_agent("admin", role="admin")
    await world.add_agent("lead", role="lead", team_ids=(support.id,))
    await world.add_agent("anna", team_ids=(support.id,))
    await world.add_agent("boris", team_ids=(sales.id,))
    world.chat = await world.add_channel("Bot", team_ids=(support.id,))
    yield world
    for client in world.clients.values():
        await client.aclose()


async def channel_of(world: World, channel_id: UUID) -> Channel:
    async with world.database.transaction() as session:
        return await accounts.get(session, channel_id)
