"""What a new task is, and what it does to the dialogs it came from."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from app.agents.models import Agent
from app.core.errors import Invalid, NotFound
from tests.tasks.office import Office


def days(count: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=count)


async def test_numbers_count_up_and_the_creator_is_the_owner(office: Office) -> None:
    first, second = await office.task(), await office.task("boris")
    assert second.number == first.number + 1
    assert (first.owner_id, first.created_by) == (office.agents["anna"],) * 2
    assert (first.status, first.team_id, first.overdue, first.finished_at) == ("todo", None, False, None)
    assert (first.dialogs, first.message_ids, first.description) == ([], [], "")


async def test_from_a_message_it_takes_the_title_and_the_dialog(office: Office) -> None:
    text = "Where is\n my  parcel? " + "It was sent long ago. " * 20
    dialog = await office.dialog(text=text)
    message = await office.message(dialog)
    task = await office.task(title="", message_ids=[message, message])
    assert task.title.startswith("Where is my parcel? It was sent")
    assert len(task.title) <= 120
    assert task.title.endswith("…")
    assert task.message_ids == [message]
    assert [(ref.id, ref.customer_name) for ref in task.dialogs] == [(dialog, "Clara")]
    (line,) = await office.lines(dialog)
    assert (line["kind"], line["task_id"], line["task_number"]) == ("task.created", str(task.id), task.number)


async def test_from_a_dialog_it_takes_the_last_words(office: Office) -> None:
    task = await office.task(title="", dialog_ids=[await office.dialog(text="Help!")])
    assert task.title == "Help!"


async def test_without_a_title_and_without_a_message_it_is_refused(office: Office) -> None:
    with pytest.raises(Invalid) as refused:
        await office.task(title="  ")
    assert refused.value.fields["errors"][0]["field"] == "title"


async def test_unknown_owner_team_dialog_and_message_are_not_found(office: Office) -> None:
    for values in (
        {"owner_id": uuid4()},
        {"team_id": uuid4()},
        {"dialog_ids": [uuid4()]},
        {"message_ids": [uuid4()]},
    ):
        with pytest.raises(NotFound):
            await office.task(**values)
    assert not await office.facts()


async def test_who_has_left_gets_no_tasks(office: Office) -> None:
    async with office.db.transaction() as session:
        (await session.get_one(Agent, office.agents["max"])).active = False
    with pytest.raises(Invalid) as refused:
        await office.task(owner_id=office.agents["max"])
    assert refused.value.fields["errors"][0]["field"] == "owner_id"


async def test_a_dialog_counts_its_unfinished_tasks_and_knows_the_nearest_deadline(office: Office) -> None:
    dialog = await office.dialog()
    late = await office.task(dialog_ids=[dialog], deadline_at=days(9))
    soon = await office.task(dialog_ids=[dialog], deadline_at=days(2), owner_id=office.agents["boris"])
    row = await office.get(dialog)
    assert (row.task_count, row.next_deadline_at) == (2, soon.deadline_at)
    assert row.preview == "Where is my parcel?"
    assert row.waiting_since is None
    assert {fact.dialog_id for fact in await office.facts("dialog.changed")} == {dialog}
    assert late.deadline_at > soon.deadline_at


async def test_one_task_joins_several_dialogs(office: Office) -> None:
    dialogs = [await office.dialog(), await office.dialog()]
    task = await office.task(dialog_ids=dialogs)
    assert [ref.id for ref in task.dialogs] == dialogs
    for dialog in dialogs:
        assert (await office.get(dialog)).task_count == 1
        assert [line["kind"] for line in await office.lines(dialog)] == ["task.created"]


async def test_the_facts_of_a_new_task(office: Office) -> None:
    dialog = await office.dialog()
    task = await office.task(dialog_ids=[dialog])
    facts = [(fact.type, fact.task_id, fact.dialog_id) for fact in await office.facts()]
    assert facts == [
        ("task.created", task.id, None),
        ("dialog.changed", None, dialog),
        ("message.created", None, dialog),
    ]
    assert all(fact.actor_id == office.agents["anna"] for fact in await office.facts())
