"""A transaction that somebody leaves open holds the feed back: the log says whose it is."""

import asyncpg
import pytest

from app.core import horizon
from app.core.db import Database
from tests.helpers import eventually


async def test_a_foreign_transaction_that_stays_open_is_named(
    db: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = await asyncpg.connect(db.url, server_settings={"application_name": "a-forgotten-psql"})
    try:
        await foreign.execute("begin")
        await foreign.execute("create table forgotten ()")
        pid = await foreign.fetchval("select pg_backend_pid()")
        found = await eventually(lambda: held_by(db, "a-forgotten-psql"))
        assert found.pid == pid
        await horizon.turn(db.raw)
        assert "a-forgotten-psql" not in capsys.readouterr().out, "it is not old yet"
        monkeypatch.setattr(horizon, "LATE_SECONDS", 0.0)
        await eventually(lambda: told(db, capsys))
    finally:
        await foreign.close()


async def held_by(db: Database, program: str) -> horizon.Holder | None:
    """Other tests write on the same server: theirs end, and then this is the oldest."""
    found = await horizon.oldest(db.raw)
    return found if found and found.program == program else None


async def told(db: Database, capsys: pytest.CaptureFixture[str]) -> bool:
    await horizon.turn(db.raw)
    said = capsys.readouterr().out
    return "feed.held_back" in said and "a-forgotten-psql" in said
