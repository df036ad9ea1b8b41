"""Fixtures of the tests of tasks."""

import pytest

from app.core.db import Database
from tests.tasks.office import Office, furnish


@pytest.fixture
async def office(db: Database) -> Office:
    return await furnish(db)
