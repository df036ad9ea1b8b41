"""Signs of life: written by a running worker, gone when it stops, read by readiness and `doctor`."""

import asyncio
from typing import Any

import pytest

from app import doctor
from app.core import heartbeat
from app.core.config import Settings, SettingsError
from app.core.db import Database
from app.loops import Loop
from tests.helpers import eventually
from tests.loops.conftest import working


async def test_a_worker_says_that_it_lives_until_it_stops(db: Database, settings: Settings) -> None:
    async with working(db, settings) as worker:
        await eventually(lambda: heartbeat.fresh(db.raw))  # type: ignore[arg-type, return-value]
        (sign,) = await heartbeat.fresh(db.raw)
        assert sign.name == worker.name
        assert sign.detail["failing"] == []
    assert await heartbeat.fresh(db.raw) == []


async def test_a_worker_names_the_loops_that_fail(db: Database, settings: Settings) -> None:
    async def broken() -> None:
        raise ValueError("broken")

    async with working(db, settings) as worker:
        worker.rest[0]._turn = broken
        worker.rest[0].wake()
        await eventually(lambda: worker.rest[0].failing)
        await worker._beat()
        (sign,) = await heartbeat.fresh(db.raw)
        assert sign.detail["failing"] == [worker.rest[0].name]


async def test_old_signs_are_forgotten(db: Database) -> None:
    async def beat(name: str) -> None:
        async with db.transaction() as session:
            await heartbeat.beat(session, name, detail={})

    await beat("old")
    await db.raw.execute("update heartbeats set seen_at = now() - interval '2 hours'")
    await beat("new")
    assert [row["name"] for row in await db.raw.fetch("select name from heartbeats")] == ["new"]


def test_doctor_tells_of_the_loops(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    settings = Settings(database_url=database_url)
    with pytest.raises(SettingsError, match="otklik work"):
        doctor._loops(settings)

    async def signs(_url: str) -> list[heartbeat.Sign]:
        details: list[dict[str, Any]] = [{"failing": []}, {"failing": ["media-0"]}]
        return [
            heartbeat.Sign(str(number), None, detail)  # type: ignore[arg-type]
            for number, detail in enumerate(details)
        ]

    monkeypatch.setattr(doctor, "_signs", signs)
    assert doctor._loops(settings) == "0 well; 1 failing in media-0"


async def test_a_loop_recovers() -> None:
    faults = [ValueError("once")]

    async def turn() -> None:
        if faults:
            raise faults.pop()

    loop = Loop("x", turn, every=0.01)

    running = asyncio.create_task(loop.run())
    await eventually(lambda: loop.failing)
    await eventually(lambda: not loop.failing, timeout=5)
    running.cancel()
