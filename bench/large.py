"""A large desk for measurements: the real application on a year of `otklik demo --scale`."""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog

from app.agents import people, tokens
from app.core import migrate
from app.core.config import Settings, load
from app.core.db import Database
from app.core.embedded import EmbeddedServer
from app.demo.scale import desk
from app.demo.scale import load as scale
from app.demo.scale.plan import Size
from app.main import create_app

GIVEN = "OTKLIK_BENCH_DATABASE"
"""Address of a database that `otklik demo --scale` has filled, to be measured on instead of a new one."""
_NAME = "bench_large"


@dataclass
class Large:
    """The started application."""

    url: str
    app: Any
    token: str
    """Of an agent in three of twenty teams."""

    async def get(self, path: str) -> bytes:
        """The answer to `GET /api/v1…`, through all of the application but without a socket."""
        parts = urlsplit(f"/api/v1{path}")
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"bench"), (b"authorization", f"Bearer {self.token}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self.app(scope, receive, send)
        if told[0]["status"] != 200:
            raise RuntimeError(f"{path} was answered with {told[0]['status']}")
        return b"".join(message.get("body", b"") for message in told[1:])


@asynccontextmanager
async def opened(running: EmbeddedServer, *, smoke: bool) -> AsyncIterator[Large]:
    """The large desk; its data is made when it is asked for first, which takes minutes."""
    url = os.environ.get(GIVEN) or await _made(running, smoke=smoke)
    settings = _settings(url)
    app = create_app(settings)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with app.router.lifespan_context(app):
        yield Large(url, app, await _token(app.state.database))


def _settings(url: str) -> Settings:
    folder = Path(tempfile.mkdtemp(prefix="otklik-bench-large-"))
    return load(database_url=url, data_dir=folder, loops_in_web=False)


async def _made(running: EmbeddedServer, *, smoke: bool) -> str:
    url = running.url(_NAME)
    admin = await asyncpg.connect(running.url("postgres"))
    known = await admin.fetchval("select 1 from pg_database where datname = $1", _NAME)
    if not known:
        await admin.execute(f"create database {_NAME}")
    await admin.close()
    if not known:
        await migrate.upgrade(url)
        size = Size(customers=2000, messages=20_000) if smoke else Size()
        database = Database(url, pool_size=2)
        await database.open()
        order = scale.Order(size, sure=True)
        await scale.fill(database, _settings(url), order, advance=lambda what, more: None)
        await database.close()
    return url


async def _token(database: Database) -> str:
    async with database.transaction() as session:
        agent = await people.find_by_email(session, desk.address("agent"))
        if agent is None:
            raise RuntimeError(f"{GIVEN} does not name a database of `otklik demo --scale`")
        _, token = await tokens.issue(session, agent_id=agent.id, name="bench", scopes=["read"])
    return token


async def median(act: Callable[[], Awaitable[Any]], *, count: int) -> float:
    """Milliseconds that `act` takes, the median of `count` times one after another."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await act()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[count // 2] * 1000
