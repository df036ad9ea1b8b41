"""Fixtures of the site chat's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.widget.site import Site, open_site


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, tmp_path) as opened:
        yield opened
