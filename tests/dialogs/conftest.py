"""The desk: one application and database for a module, cleared of unfinished work before each test."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from channels import registry
from tests.conftest import _TEMPLATE, _database
from tests.dialogs import fake
from tests.dialogs.desk import Desk, open_desk


@pytest.fixture(scope="module")
def module_database_url(database_server: str) -> Iterator[str]:
    yield from _database(database_server, template=_TEMPLATE)


@pytest.fixture(scope="module")
def fake_kinds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for kind, where in fake.KINDS.items():
            patch.setitem(registry.ADAPTERS, kind, where)
        yield


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    """Failures are provoked here by the hundred: nobody reads, and rendering them costs seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_desk(
    module_database_url: str, fake_kinds: None, quiet: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    async with open_desk(module_database_url, tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="module")
async def desk(module_desk: Desk) -> Desk:
    await module_desk.begin()
    return module_desk
