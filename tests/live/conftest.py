"""Consoles for tests of the feed: real sockets to real servers, each keeping the state a console keeps."""

from tests.api.conftest import app, settings, world  # noqa: F401
