"""What measurements stand on: a durable embedded server, a fresh migrated database, the real program."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson
import psutil
from sqlalchemy import select

from app import first_run
from app.agents import tokens
from app.agents.models import Agent, Team
from app.core import cluster, embedded, migrate
from app.core.config import Settings, load
from app.core.db import Database
from app.core.secrets import open_box, random_token
from channels import drafts
from channels.models import Channel, ChannelTeam
from channels.registry import load as load_adapter


@dataclass(slots=True)
class Stage:
    """A database of its own with an administrator, a team and a VK channel by Callback API."""

    url: str
    settings: Settings
    db: Database
    token: str
    """API token of the administrator."""
    channel_id: UUID
    hook: str
    secret: str
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """For events and messages that are to be new."""


@contextmanager
def server() -> Iterator[embedded.EmbeddedServer]:
    """An embedded PostgreSQL as a customer has it: synchronous commit on."""
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded.start(Path(folder))
        try:
            yield running
        finally:
            running.stop()


@asynccontextmanager
async def stage(
    running: embedded.EmbeddedServer, *, port: int = 0, connections: int = 8
) -> AsyncIterator[Stage]:
    """A fresh database, ready to be measured on by up to `connections` at once."""
    name = f"bench_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(running.url("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = running.url(name)
    await migrate.upgrade(url)
    settings = load(
        database_url=url,
        data_dir=Path(tempfile.mkdtemp(prefix="otklik-bench-data-")),
        port=port or free_port(),
    )
    db = Database(url, pool_size=connections)
    await db.open()
    try:
        yield await _furnish(url, settings, db)
    finally:
        await db.close()


async def _furnish(url: str, settings: Settings, db: Database) -> Stage:
    async with db.transaction() as session:
        await first_run.ensure(session)
        admin = (await session.scalars(select(Agent))).one()
        _, token = await tokens.issue(
            session, agent_id=admin.id, name="bench", scopes=["read", "write", "inbound", "admin"]
        )
    channel = await add_channel(db, settings, "vk", {"token": "t", "transport": "webhook", "group_id": 1})
    return Stage(url, settings, db, token, channel.id, channel.hook, channel.secret)


@dataclass(frozen=True, slots=True)
class Connected:
    """A channel that takes webhooks at `hook`, proved by `secret`."""

    id: UUID
    hook: str
    secret: str


async def add_channel(db: Database, settings: Settings, kind: str, values: dict[str, Any]) -> Connected:
    """A channel of the team, without a platform behind it."""
    draft = drafts.Draft(
        id=uuid4(),
        kind=kind,
        name=f"bench {kind}",
        settings=load_adapter(kind).Settings.model_validate(values),
        webhook_key=random_token(),
        webhook_secret=random_token(),
    )
    async with db.transaction() as session:
        channel = Channel(
            id=draft.id,
            kind=kind,
            name=draft.name,
            external_id="1",
            settings=draft.public(),
            secrets=open_box(settings).seal(draft.secrets()),
            info={},
            webhook_key=draft.webhook_key,
        )
        session.add(channel)
        await session.flush()
        team = (await session.scalars(select(Team))).one()
        session.add(ChannelTeam(channel_id=draft.id, team_id=team.id))
    return Connected(draft.id, f"/hooks/{draft.webhook_key}", draft.webhook_secret)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(on: Stage) -> dict[str, str]:
    """What the program's own processes are told."""
    return {
        **os.environ,
        "DATABASE_URL": on.url,
        "OTKLIK_PORT": str(on.settings.port),
        "OTKLIK_DATA_DIR": str(on.settings.data_dir),
        "OTKLIK_LOG_LEVEL": "warning",
        "OTKLIK_DRAIN_SECONDS": "0",
        "OTKLIK_SOCKETS_PER_AGENT": "100000",  # one agent stands for a crowd
    }


@asynccontextmanager
async def running(on: Stage, *command: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A program of the product as a process of its own: `otklik COMMAND`."""
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "app.cli", *command], env=environment(on)
    )
    try:
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 15)


@asynccontextmanager
async def serving(on: Stage) -> AsyncIterator[str]:
    """The real `otklik serve`; gives its address."""
    address = f"http://127.0.0.1:{on.settings.port}"
    async with running(on, "serve"):
        await _until_ready(address)
        yield address


def listener(port: int) -> psutil.Process:
    """The process that listens on a port of this machine."""
    for one in psutil.net_connections("tcp4"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
            return psutil.Process(one.pid)
    raise RuntimeError(f"nobody listens on port {port}")


async def _until_ready(address: str) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(300):
            try:
                checks = (await client.get(f"{address}/readyz")).json()["checks"]
                if checks["database"] and checks["migrations"]:  # no loops run beside it
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("the program did not become ready")


def pgbench() -> Path:
    """The pgbench beside the embedded server."""
    return cluster.find_binaries() / "pgbench"


def vk_message(on: Stage, *, person: int, number: int, text: str = "Здравствуйте, где мой заказ?") -> bytes:
    """A `message_new` of the Callback API."""
    message = {
        "date": 1_700_000_000,
        "from_id": 1000 + person,
        "peer_id": 1000 + person,
        "id": number,
        "conversation_message_id": number,
        "text": text,
        "attachments": [],
        "random_id": 0,
    }
    return orjson.dumps(
        {
            "type": "message_new",
            "group_id": 1,
            "event_id": f"e{person}-{number}",
            "v": "5.199",
            "secret": on.secret,
            "object": {"message": message, "client_info": {}},
        }
    )
