"""A database with the story in it, told once for the module, and a worker to live on with it."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from app.core.config import Settings
from app.core.db import Database
from app.demo import run
from app.demo.run import Ready, Wishes
from tests.conftest import _TEMPLATE, _database


class Shop:
    """What the demo made."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings = database, settings
        self.said: list[Ready] = []

    async def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await self.database.raw.fetch(sql, *values)]

    async def value(self, sql: str, *values: object) -> object:
        return await self.database.raw.fetchval(sql, *values)

    async def count(self, table: str) -> int:
        number = await self.value(f"select count(*) from {table}")
        assert isinstance(number, int)
        return number

    async def run(self, **wishes: object) -> None:
        await run.run(self.database, self.settings, Wishes(**wishes), ready=self.said.append)  # type: ignore[arg-type]


@asynccontextmanager
async def open_shop(url: str, folder: Path) -> AsyncIterator[Shop]:
    database = Database(url, pool_size=4)
    await database.open()
    try:
        yield Shop(database, Settings(database_url=url, data_dir=folder, undo_seconds=0))
    finally:
        await database.close()


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def module_database_url(database_server: str) -> Iterator[str]:
    yield from _database(database_server, template=_TEMPLATE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    module_database_url: str, quiet: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """After `otklik demo --once --seed 1`."""
    async with open_shop(module_database_url, tmp_path_factory.mktemp("shop")) as shop:
        await shop.run(once=True, seed=1)
        yield shop
