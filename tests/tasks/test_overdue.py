"""The passing of a deadline is recorded once, however many workers look."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.core import clock
from tasks import overdue, tasks
from tasks.models import Task
from tasks.schemas import TaskChange
from tests.tasks.office import Office

PAST = datetime(2026, 1, 5, tzinfo=UTC)


async def turn(office: Office, *, limit: int = overdue.BATCH) -> int:
    async with office.db.transaction() as session:
        return await overdue.turn(session, limit=limit)


async def test_an_overdue_task_is_recorded_once(office: Office) -> None:
    task = await office.task(deadline_at=PAST)
    await office.task(deadline_at=clock.now() + timedelta(days=1))
    assert [await turn(office), await turn(office)] == [1, 0]
    (fact,) = await office.facts("task.overdue")
    assert (fact.task_id, fact.actor_kind) == (task.id, "system")
    assert task.overdue


async def test_finished_tasks_are_not_overdue(office: Office) -> None:
    task = await office.task(deadline_at=PAST)
    viewer = await office.viewer("anna")
    async with office.db.transaction() as session:
        await tasks.change(session, viewer, task.id, TaskChange(status="cancelled"))
    assert await turn(office) == 0


async def test_two_workers_at_once_record_each_deadline_once(office: Office) -> None:
    found = {(await office.task(deadline_at=PAST)).id for _ in range(20)}

    async def worker() -> int:
        return sum([await turn(office, limit=3) for _ in range(8)])

    assert sum(await asyncio.gather(worker(), worker())) == 20
    recorded = [fact.task_id for fact in await office.facts("task.overdue")]
    assert len(recorded) == 20
    assert set(recorded) == found


async def test_a_worker_does_not_wait_for_tasks_that_another_holds(office: Office) -> None:
    await office.task(deadline_at=PAST)
    async with office.db.transaction() as first:
        assert await overdue.turn(first) == 1
        async with asyncio.timeout(5):
            assert await turn(office) == 0


async def test_a_deadline_moved_into_the_future_can_pass_again(office: Office) -> None:
    task = await office.task(deadline_at=PAST)
    assert await turn(office) == 1
    viewer = await office.viewer("anna")
    for deadline, marked in ((PAST + timedelta(days=1), True), (clock.now() + timedelta(days=1), False)):
        async with office.db.transaction() as session:
            await tasks.change(session, viewer, task.id, TaskChange(deadline_at=deadline))
            row = await session.get_one(Task, task.id)
            assert (row.overdue_at is not None) == marked
        assert await turn(office) == 0
    async with office.db.transaction() as session:
        await tasks.change(session, viewer, task.id, TaskChange(deadline_at=PAST))
    assert await turn(office) == 1
    assert len(await office.facts("task.overdue")) == 2
