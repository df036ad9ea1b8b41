"""The fixtures all other tests stand on."""

import pytest
from sqlalchemy import text

from app.core.db import Database


@pytest.mark.parametrize("turn", range(5))
async def test_each_test_has_a_migrated_database_of_its_own(db: Database, turn: int) -> None:
    async with db.transaction() as session:
        await session.execute(text("CREATE TABLE mine (id int)"))
    async with db.raw.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM mine") == 0
        assert await connection.fetchval("SELECT lower('ПРИВЕТ')") == "привет"
