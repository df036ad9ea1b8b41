"""One real PostgreSQL for the whole run, and a database of its own, already migrated, for each test.

The process that was started by hand owns the server, so that it dies with it whatever happens; xdist
workers only get its address. The migrated template is made once, by whoever comes first.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from app.core import embedded, migrate
from app.core.db import Database

_PREFIX = "otklik-tests-"
_TEMPLATE = "otklik_template"
_owned: embedded.EmbeddedServer | None = None


def _server_url() -> str:
    """Address of the run's server, with `{database}` for the name; starts it when called first."""
    global _owned
    if _owned is None:
        _sweep()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        folder.chmod(0o755)  # the server's own user must get in
        _owned = embedded.start(folder, durable=False)
    return _owned.url("{database}").replace("%7Bdatabase%7D", "{database}")


def _sweep() -> None:
    """Remove the folders of runs that were killed: nobody holds their lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder / "lock", os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """xdist, in the controller, for each worker."""
    node.workerinput["database_server"] = _server_url()  # type: ignore[attr-defined]


def pytest_unconfigure() -> None:
    global _owned
    if _owned is not None:
        folder = _owned.cluster.folder.parent
        _owned.stop()
        _owned = None
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url.format(database="postgres"))
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _TEMPLATE):
            return
        await connection.execute("CREATE DATABASE in_the_making")
        await migrate.upgrade(url.format(database="in_the_making"))
        await connection.execute(f"ALTER DATABASE in_the_making RENAME TO {_TEMPLATE}")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> str:
    """Address of the server, with `{database}` in it; the migrated template is there."""
    given = getattr(request.config, "workerinput", {}).get("database_server")
    url: str = given or _server_url()
    asyncio.run(_make_template(url))
    return url


@pytest.fixture
def empty_database_url(database_server: str) -> Iterator[str]:
    """A database without tables, for tests of the migrations themselves."""
    yield from _database(database_server, template="template1")


@pytest.fixture
def database_url(database_server: str) -> Iterator[str]:
    """A migrated, empty database of this test's own; dropped afterwards."""
    yield from _database(database_server, template=_TEMPLATE)


def _database(server: str, *, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield server.format(database=name)
    asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, sql: str) -> None:
    connection = await asyncpg.connect(server.format(database="postgres"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """An open `Database` on a migrated database of its own."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()
