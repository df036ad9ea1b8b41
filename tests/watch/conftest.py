"""The application and the people of the API's tests."""

from tests.loops.conftest import *  # noqa: F403 - fixtures
