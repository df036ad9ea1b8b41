"""Fixtures of the tests of tasks: the office, and a signed-in HTTP client for each who works there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from app.agents import tokens
from app.core.config import Settings
from app.core.db import Database
from tests.tasks.office import Office, furnish

Clients = dict[str, httpx.AsyncClient]


@pytest.fixture
async def office(db: Database) -> Office:
    return await furnish(db)


@pytest.fixture
async def clients(office: Office, database_url: str, tmp_path: Path) -> AsyncIterator[Clients]:
    """By name; each carries an API token of that agent that may read and write."""
    from app.main import create_app  # tests below HTTP need no web program

    app = create_app(Settings(database_url=database_url, data_dir=tmp_path, _env_file=None))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        found = {}
        for name, id in office.agents.items():
            async with office.db.transaction() as session:
                _, token = await tokens.issue(session, agent_id=id, name="test", scopes=["read", "write"])
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url="http://127.0.0.1/api/v1",
                headers={"Authorization": f"Bearer {token}"},
            )
            found[name] = await stack.enter_async_context(client)
        yield found
