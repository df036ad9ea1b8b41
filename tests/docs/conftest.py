"""A desk as it is after the first start, with everything running, for the examples of the documentation."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from app import first_run
from app.agents import people, tokens
from app.core.db import Database
from app.core.files import open_files
from app.main import create_app
from app.worker import Worker
from tests.api.conftest import make_settings, serve


@pytest.fixture
async def values(database_url: str, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The variables the pages tell their readers to set: `OTKLIK`, `TOKEN`, `PORT`."""
    settings = make_settings(database_url, tmp_path / "data")
    settings.data_dir.mkdir()
    database = Database(database_url, pool_size=2)
    async with database.transaction() as session:
        await first_run.ensure(session)
        admin = await people.find_by_email(session, first_run.EMAIL)
        assert admin is not None
        _, token = await tokens.issue(
            session, agent_id=admin.id, name="docs", scopes=["read", "write", "admin", "inbound"]
        )
    await database.open()
    app = create_app(settings)
    work = asyncio.create_task(Worker(database, settings, files=open_files(settings)).run())
    async with app.router.lifespan_context(app), serve(app) as url:
        yield {"OTKLIK": url, "TOKEN": token, "PORT": str(_free_port())}
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    await database.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
