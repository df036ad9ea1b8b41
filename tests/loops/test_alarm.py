"""Whom something is due for is woken when it is due, and nobody looks in vain meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from app import alarm
from app.core.clock import now
from app.core.config import Settings
from app.loops import Crew, Loop
from app.worker import Worker
from channels import inbound
from channels.api.parse import to_raw
from channels.api.schema import InboundPayload
from tests.api.conftest import World, make_settings
from tests.helpers import eventually
from tests.loops.conftest import working


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The web only stores; only the worker understands."""
    return make_settings(database_url, tmp_path, loops_in_web=False)


@pytest.fixture
async def worker(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """A worker that looks by itself only once a minute."""
    monkeypatch.setattr(alarm, "LONGEST", 60.0)
    async with working(world.database, world.app.state.settings) as worker:
        await eventually(lambda: worker._look.idle)
        yield worker


async def write(world: World, text: str) -> UUID:
    """A customer writes; returns the dialog once it is there."""
    event = {"event_id": uuid4().hex, "sender": {"external_id": "7"}, "text": text}
    answer = await world.admin.post(f"/channels/{world.chat}/inbound", json=event)
    assert answer.status_code == 202, answer.text
    query = "select dialog_id from messages where text = $1"
    found: UUID = await eventually(lambda: world.database.raw.fetchval(query, text), timeout=20)
    return found


async def test_an_answer_leaves_when_its_time_has_come(world: World, worker: Worker) -> None:
    dialog_id = await write(world, "Hello")
    leaves_at = now() + timedelta(seconds=1.2)
    body = {"client_key": uuid4().hex, "text": "Soon", "send_after": leaves_at.isoformat()}
    answer = await world.admin.post(f"/dialogs/{dialog_id}/messages", json=body)
    assert answer.json()["status"] == "queued"

    async def sent() -> Any:
        return await world.database.raw.fetchrow("select * from messages where sent_at is not null")

    row: Any = await eventually(sent, timeout=20)
    late = row["sent_at"] - leaves_at
    print(f"left {late.total_seconds() * 1000:.0f} ms after its time")
    assert timedelta() <= late < timedelta(seconds=5), "only the alarm is that quick: looks come every minute"


async def test_a_snooze_ends_in_time(world: World, worker: Worker) -> None:
    dialog_id = await write(world, "Hello")
    until = now() + timedelta(seconds=1)
    await world.admin.post(f"/dialogs/{dialog_id}/snooze", json={"until": until.isoformat()})
    status = "select status from dialogs where id = $1"
    assert await world.database.raw.fetchval(status, dialog_id) == "snoozed"

    async def open_again() -> Any:
        return await world.database.raw.fetchval(status, dialog_id) == "open"

    await eventually(open_again, timeout=20)


async def test_a_deadline_passes_in_time(world: World, worker: Worker) -> None:
    deadline = now() + timedelta(seconds=1)
    body = {"title": "Call", "deadline_at": deadline.isoformat()}
    assert (await world.admin.post("/tasks", json=body)).status_code == 201
    overdue = "select true from tasks where overdue_at is not null"
    await eventually(lambda: world.database.raw.fetchval(overdue), timeout=20)


async def test_the_worker_hears_of_events_that_the_web_only_stored(world: World, worker: Worker) -> None:
    """As with kinds of channels that are left to the worker: `inbox_wake` rings the bell."""
    event = InboundPayload.model_validate({"event_id": "e", "sender": {"external_id": "8"}, "text": "Left"})
    async with world.database.transaction() as session:
        await inbound.store(session, world.chat, [to_raw(event)])
    world.app.state.inbox_wake()
    there = "select true from messages where text = 'Left'"
    await eventually(lambda: world.database.raw.fetchval(there), timeout=20)


async def test_nobody_looks_in_vain(world: World, worker: Worker) -> None:
    await write(world, "Hello")
    turns: list[str] = []
    for loop in (loop for crew in worker.crews for loop in crew.loops):
        await eventually(lambda: loop.idle)  # noqa: B023 - called at once
        loop._turn = lambda name=loop.name: turns.append(name)  # type: ignore[misc, assignment]
    looks = worker._look._turn
    for _ in range(3):
        await looks()
    assert turns == []


async def test_a_crew_wakes_one_and_all_when_none_is_idle() -> None:
    left = 3
    busy, most = 0, 0
    crew: Crew

    async def turn() -> bool:
        nonlocal left, busy, most
        if left == 0:
            return False
        left -= 1
        busy += 1
        most = max(most, busy)
        crew.wake()
        await asyncio.sleep(0.05)
        busy -= 1
        return True

    crew = Crew(*(Loop(str(number), turn, every=60) for number in range(3)))
    left = 0
    running = [asyncio.create_task(loop.run()) for loop in crew.loops]
    await eventually(lambda: all(loop.idle for loop in crew.loops))
    left = 3
    crew.wake()
    await eventually(lambda: left == 0 and all(loop.idle for loop in crew.loops))
    assert most == 3, "each that found work woke the next"
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
