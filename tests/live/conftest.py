"""Consoles for tests of the feed: real sockets to real servers, each keeping the state a console keeps."""

import pytest

from app.web import feed
from tests.api.conftest import app, settings, world  # noqa: F401


@pytest.fixture(autouse=True)
def _brisk_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees nothing learns how far the log has come by the pings."""
    monkeypatch.setattr(feed, "_PING_SECONDS", 0.2)
