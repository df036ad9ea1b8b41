"""Changing tasks: statuses, owners, deadlines; what a finished task does to its dialogs."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core import clock
from app.core.db import driver
from app.core.errors import NotFound
from dialogs.models import Dialog
from tasks import queries, tasks
from tasks.schemas import TaskChange, TaskOut
from tests.helpers import eventually
from tests.tasks.office import Office


async def change(office: Office, task_id: UUID, *, by: str = "anna", **values: Any) -> TaskOut:
    viewer = await office.viewer(by)
    async with office.db.transaction() as session:
        await tasks.change(session, viewer, task_id, TaskChange(**values))
        return await queries.task(session, task_id)


async def kinds(office: Office, dialog_id: UUID) -> list[str]:
    return [line["kind"] for line in await office.lines(dialog_id)]


async def test_any_status_follows_any_other(office: Office) -> None:
    task = await office.task()
    for status in ("done", "waiting", "cancelled", "done", "in_progress", "todo"):
        task = await change(office, task.id, status=status)
        assert task.status == status
        assert (task.finished_at is not None) == (status in ("done", "cancelled"))
    steps = [(fact.data["from"], fact.data["status"]) for fact in await office.facts("task.status")]
    assert steps[:3] == [("todo", "done"), ("done", "waiting"), ("waiting", "cancelled")]
    assert len(steps) == 6


async def test_what_is_already_so_is_not_recorded(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    before = len(await office.facts())
    await change(office, task.id, title=task.title, status="todo", owner_id=str(task.owner_id), team_id=None)
    assert len(await office.facts()) == before


async def test_a_change_names_its_fields_and_holds_no_text(office: Office) -> None:
    task = await office.task()
    boris, sales = office.agents["boris"], office.teams["sales"]
    await change(office, task.id, title="A secret", description="More", owner_id=boris, team_id=sales)
    (fact,) = await office.facts("task.changed")
    assert fact.data == {
        "fields": ["description", "owner_id", "team_id", "title"],
        "owner_id": str(boris),
        "from_owner_id": str(office.agents["anna"]),
        "team_id": str(sales),
        "from_team_id": None,
    }


async def test_unknown_owner_or_team_changes_nothing(office: Office) -> None:
    task = await office.task()
    for values in ({"owner_id": uuid4()}, {"team_id": uuid4()}):
        with pytest.raises(NotFound):
            await change(office, task.id, title="Other", **values)
    assert await office.facts("task.changed") == []


# --- done -----------------------------------------------------------------------------------


async def test_done_tells_the_open_dialog_and_makes_it_wait(office: Office) -> None:
    anna = office.agents["anna"]
    dialog = await office.dialog(assignee_id=anna, last_message_at=clock.now() - timedelta(days=3))
    task = await office.task(dialog_ids=[dialog], owner_id=office.agents["boris"])
    await change(office, task.id, by="boris", status="done")
    row = await office.get(dialog)
    assert (row.status, row.assignee_id, row.task_count, row.next_deadline_at) == ("open", anna, 0, None)
    assert row.waiting_since is not None
    assert clock.now() - row.last_message_at < timedelta(minutes=1)
    assert row.preview == "Where is my parcel?"
    created, finished = await office.lines(dialog)
    assert created["kind"] == "task.created"
    assert finished == {
        "kind": "task.finished",
        "task_id": str(task.id),
        "task_number": task.number,
        "task_title": task.title,
        "task_status": "done",
    }
    changed = [fact.dialog_id for fact in await office.facts("dialog.changed")]
    assert changed == [dialog, dialog]
    line = (await office.facts("message.created"))[-1]
    assert (line.dialog_id, line.data["direction"], line.actor_id) == (
        dialog,
        "system",
        office.agents["boris"],
    )


async def test_done_keeps_the_moment_since_which_the_customer_waits(office: Office) -> None:
    since = datetime(2026, 1, 5, tzinfo=UTC)
    dialog = await office.dialog(waiting_since=since)
    task = await office.task(dialog_ids=[dialog])
    await change(office, task.id, status="done")
    assert (await office.get(dialog)).waiting_since == since


async def test_done_wakes_a_snoozed_dialog(office: Office) -> None:
    dialog = await office.dialog(status="snoozed", snoozed_until=clock.now() + timedelta(days=1))
    task = await office.task(dialog_ids=[dialog])
    await change(office, task.id, status="done")
    row = await office.get(dialog)
    assert (row.status, row.snoozed_until) == ("open", None)
    assert [fact.dialog_id for fact in await office.facts("dialog.woken")] == [dialog]


async def test_done_reopens_a_closed_dialog(office: Office) -> None:
    anna = office.agents["anna"]
    dialog = await office.dialog(status="closed", closed_by=anna, assignee_id=anna)
    task = await office.task(dialog_ids=[dialog])
    await change(office, task.id, status="done")
    row = await office.get(dialog)
    assert (row.status, row.closed_at, row.closed_by, row.assignee_id) == ("open", None, None, anna)
    assert row.waiting_since is not None
    (fact,) = await office.facts("dialog.reopened")
    assert (fact.dialog_id, fact.data) == (dialog, {"by": "task"})


async def test_done_goes_to_the_open_dialog_when_the_linked_one_is_closed(office: Office) -> None:
    customer = await office.customer()
    old = await office.dialog(customer, status="closed", assignee_id=office.agents["anna"])
    task = await office.task(dialog_ids=[old])
    current = await office.dialog(customer, status="snoozed")
    await change(office, task.id, status="done")
    assert (await office.get(old)).status == "closed"
    assert (await office.get(current)).status == "open"
    assert await kinds(office, old) == ["task.created"]
    assert await kinds(office, current) == ["task.finished"]


async def test_done_brings_back_one_dialog_per_customer(office: Office) -> None:
    customer = await office.customer()
    older = await office.dialog(customer, status="closed")
    newer = await office.dialog(customer, status="closed")
    other = await office.dialog()
    task = await office.task(by="root", dialog_ids=[older, newer, other])
    await change(office, task.id, status="done", by="root")
    assert [(await office.get(id)).status for id in (older, newer, other)] == ["closed", "open", "open"]
    assert await kinds(office, older) == ["task.created"]
    assert await kinds(office, newer) == ["task.created", "task.finished"]
    assert await kinds(office, other) == ["task.created", "task.finished"]


async def test_an_unassigned_dialog_stays_unassigned(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    await change(office, task.id, status="done")
    assert (await office.get(dialog)).assignee_id is None


async def test_done_twice_tells_once_and_again_after_more_work(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    for status in ("done", "done", "in_progress", "done"):
        await change(office, task.id, status=status)
    assert await kinds(office, dialog) == ["task.created", "task.finished", "task.finished"]


async def test_cancelled_leaves_a_line_and_the_dialog_where_it_is(office: Office) -> None:
    dialog = await office.dialog(status="closed", assignee_id=office.agents["anna"])
    task = await office.task(dialog_ids=[dialog])
    await change(office, task.id, status="cancelled")
    row = await office.get(dialog)
    assert (row.status, row.waiting_since, row.task_count) == ("closed", None, 0)
    assert await kinds(office, dialog) == ["task.created", "task.cancelled"]


async def test_done_while_the_customer_writes_again(office: Office) -> None:
    """The new dialog appears between the look at the customer's dialogs and the reopening."""
    customer = await office.customer()
    old = await office.dialog(customer, status="closed")
    task = await office.task(dialog_ids=[old])
    viewer = await office.viewer("anna")
    async with office.db.transaction() as session, office.db.transaction() as other:
        dialog = Dialog(customer_id=customer, channel_id=office.channels["shop"])
        other.add(dialog)
        await other.flush()
        done = asyncio.create_task(tasks.change(session, viewer, task.id, TaskChange(status="done")))
        await _blocked(office)
        await other.commit()
        await done
    assert (await office.get(old)).status == "closed"
    assert await kinds(office, old) == ["task.created"]
    assert await kinds(office, dialog.id) == ["task.finished"]


async def _blocked(office: Office) -> None:
    """Wait until a transaction of this database waits for another."""
    query = (
        "select count(*) from pg_locks l join pg_stat_activity a using (pid)"
        " where not granted and a.datname = current_database()"
    )
    await eventually(lambda: office.db.raw.fetchval(query))


# --- two at once ----------------------------------------------------------------------------


async def test_changes_of_different_fields_at_once_both_stay(office: Office) -> None:
    task = await office.task()
    await asyncio.gather(
        change(office, task.id, by="anna", title="New title"),
        change(office, task.id, by="root", description="New description"),
        change(office, task.id, by="lena", status="waiting"),
    )
    now = await change(office, task.id)
    assert (now.title, now.description, now.status) == ("New title", "New description", "waiting")


async def test_the_later_change_of_a_field_stays(office: Office) -> None:
    task = await office.task()
    first, second = await office.viewer("anna"), await office.viewer("root")
    async with office.db.transaction() as session:
        await tasks.change(session, first, task.id, TaskChange(title="First"))

        async def later() -> None:
            async with office.db.transaction() as other:
                await tasks.change(other, second, task.id, TaskChange(title="Second"))

        waiting = asyncio.create_task(later())
        await _blocked(office)
        await session.commit()
    await waiting
    assert (await change(office, task.id)).title == "Second"


async def test_finishing_at_once_tells_once(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    await asyncio.gather(
        *(change(office, task.id, by=who, status="done") for who in ("anna", "root", "lena"))
    )
    assert await kinds(office, dialog) == ["task.created", "task.finished"]
    assert len(await office.facts("task.status")) == 1


async def test_two_tasks_that_bring_back_the_same_customers_do_not_block_each_other(office: Office) -> None:
    """Each reopens a dialog of both customers; the numbers of the dialogs run in opposite orders."""
    for _ in range(2):
        clara, nora = await office.customer("Clara"), await office.customer("Nora")
        order = [(clara, 0), (nora, 0), (nora, 1), (clara, 1)]
        sets: tuple[list[UUID], list[UUID]] = ([], [])
        for customer, index in order:
            sets[index].append(await office.dialog(customer, status="closed"))
        found = [await office.task("root", dialog_ids=dialogs) for dialogs in sets]
        await asyncio.gather(*(change(office, task.id, by="root", status="done") for task in found))
        lines = [kind for dialog in sets[0] + sets[1] for kind in await kinds(office, dialog)]
        assert lines.count("task.finished") == 4
        states = [(await office.get(dialog)).status for dialog in sets[0] + sets[1]]
        assert states.count("open") == 2


async def test_two_tasks_of_a_dialog_that_end_at_once_are_both_counted(office: Office) -> None:
    dialog, viewer = await office.dialog(), await office.viewer("root")
    first, second = [await office.task(dialog_ids=[dialog]) for _ in range(2)]
    async with office.db.transaction() as session:
        await tasks.change(session, viewer, first.id, TaskChange(status="cancelled"))
        waiting = asyncio.create_task(change(office, second.id, by="root", status="cancelled"))
        await _blocked(office)
        await session.commit()
    await waiting
    assert (await office.get(dialog)).task_count == 0


async def test_counters_of_a_dialog_are_right_after_many_changes_at_once(office: Office) -> None:
    dialogs = [await office.dialog() for _ in range(3)]
    found = [await office.task(by="root", dialog_ids=dialogs[: 1 + i % 3]) for i in range(6)]

    async def work(task: TaskOut, order: int) -> None:
        await change(office, task.id, by="root", status="done" if order % 2 else "waiting")

    await asyncio.gather(*(work(task, order) for order, task in enumerate(found)))
    for dialog in dialogs:
        left = [t for order, t in enumerate(found) if order % 2 == 0 and dialog in {d.id for d in t.dialogs}]
        row = await office.get(dialog)
        assert row.task_count == len(left)
        assert row.next_deadline_at == (min(t.deadline_at for t in left) if left else None)


# --- deadline -------------------------------------------------------------------------------


async def test_a_moved_deadline_moves_in_the_dialog(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    when = datetime(2030, 1, 1, tzinfo=UTC)
    await change(office, task.id, deadline_at=when)
    assert (await office.get(dialog)).next_deadline_at == when


async def test_a_session_can_still_reach_the_driver(office: Office) -> None:
    """Counters written by the hot path below the session are not overwritten by a change of a task."""
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    viewer = await office.viewer("anna")
    async with office.db.transaction() as session:
        await session.get(Dialog, dialog)
        await (await driver(session)).execute("update dialogs set inbound_count = 7 where id = $1", dialog)
        await tasks.change(session, viewer, task.id, TaskChange(status="done"))
    assert (await office.get(dialog)).inbound_count == 7
