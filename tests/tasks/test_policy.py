"""Who sees a task and through it a dialog: in SQL, and by the keys of the feed, the same."""

import random
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core import facts
from app.core.errors import NotFound
from dialogs import access as dialog_access
from dialogs import joining, lifecycle
from dialogs.models import Dialog, Identity
from tasks import access, links, queries, tasks
from tasks.models import Task
from tasks.schemas import TaskChange
from tests.tasks.office import Office

EVERYBODY = ("anna", "sergey", "lena", "boris", "max", "root")


async def who_sees(office: Office, task_id: UUID) -> set[str]:
    """By SQL, after making sure that the keys of the feed say the same."""
    seen = set()
    for name in EVERYBODY:
        viewer = await office.viewer(name)
        async with office.db.transaction() as session:
            by_sql = await session.scalar(select(Task.id).where(Task.id == task_id, access.visible(viewer)))
            served = await dialog_access.served_channels(session, viewer)
            held = dialog_access.keys(viewer, channel_ids=served)
            by_keys = held & (await access.audiences(session, [task_id]))[task_id]
        assert bool(by_sql) == bool(by_keys), name
        if by_sql:
            seen.add(name)
    return seen


async def who_sees_dialog(office: Office, dialog_id: UUID) -> set[str]:
    seen = set()
    for name in EVERYBODY:
        viewer = await office.viewer(name)
        async with office.db.transaction() as session:
            found = await session.scalar(
                select(Dialog.id).where(Dialog.id == dialog_id, dialog_access.visible(viewer))
            )
            served = await dialog_access.served_channels(session, viewer)
            held = dialog_access.keys(viewer, channel_ids=served)
            by_keys = held & (await dialog_access.audiences(session, [dialog_id]))[dialog_id]
        assert bool(found) == bool(by_keys), name
        if found:
            seen.add(name)
    return seen


@pytest.mark.parametrize(
    ("by", "owner", "team", "expected"),
    [
        ("anna", "anna", None, {"anna", "lena", "root"}),
        ("anna", "boris", None, {"anna", "boris", "lena", "root"}),
        ("root", "boris", None, {"boris", "root"}),
        ("root", "max", "repair", {"max", "boris", "root"}),
        ("root", "root", "sales", {"anna", "sergey", "lena", "root"}),
        ("lena", "max", None, {"lena", "max", "root"}),
        ("max", "max", None, {"max", "root"}),
    ],
)
async def test_owner_creator_team_lead_and_admin_see_a_task(
    office: Office, by: str, owner: str, team: str | None, expected: set[str]
) -> None:
    task = await office.task(by, owner_id=office.agents[owner], team_id=office.teams[team] if team else None)
    assert await who_sees(office, task.id) == expected


async def test_who_sees_the_dialog_sees_its_tasks(office: Office) -> None:
    dialog = await office.dialog(assignee_id=office.agents["sergey"])
    task = await office.task("root", dialog_ids=[dialog])
    assert await who_sees(office, task.id) == {"sergey", "lena", "root"}


async def test_who_has_the_task_sees_the_dialog_as_long_as_he_has_it(office: Office) -> None:
    sergey, boris, max_ = (office.agents[name] for name in ("sergey", "boris", "max"))
    dialog = await office.dialog(assignee_id=sergey)
    before = await who_sees_dialog(office, dialog)
    assert before == {"sergey", "lena", "root"}
    task = await office.task("root", dialog_ids=[dialog], owner_id=max_, team_id=office.teams["repair"])
    assert await who_sees_dialog(office, dialog) == before | {"max", "boris"}

    root = await office.viewer("root")
    async with office.db.transaction() as session:
        await tasks.change(session, root, task.id, TaskChange(owner_id=boris, team_id=None))
    assert await who_sees_dialog(office, dialog) == before | {"boris"}
    lost = (await office.facts("dialog.changed"))[-1].data
    assert lost == {"from_guest_ids": [str(max_)], "from_guest_team_ids": [str(office.teams["repair"])]}

    async with office.db.transaction() as session:
        await links.unlink_dialog(session, root, task.id, dialog)
    assert await who_sees_dialog(office, dialog) == before


async def test_a_guest_for_two_reasons_stays_when_one_goes(office: Office) -> None:
    boris = office.agents["boris"]
    dialog = await office.dialog(assignee_id=office.agents["sergey"])
    first = await office.task("root", dialog_ids=[dialog], owner_id=boris)
    await office.task("root", dialog_ids=[dialog], owner_id=boris)
    root = await office.viewer("root")
    async with office.db.transaction() as session:
        await links.unlink_dialog(session, root, first.id, dialog)
    assert "boris" in await who_sees_dialog(office, dialog)
    assert "from_guest_ids" not in (await office.facts("dialog.changed"))[-1].data


async def test_the_customer_is_named_unless_the_task_joins_several(office: Office) -> None:
    """Sergey sees one of two customers' dialogs and the task through it; the other stays unnamed."""
    customer = await office.customer("Clara")
    clara = await office.dialog(customer, status="closed", assignee_id=office.agents["sergey"])
    again = await office.dialog(customer, assignee_id=office.agents["boris"])
    nora = await office.dialog(await office.customer("Nora"), assignee_id=office.agents["boris"])
    task = await office.task("root", dialog_ids=[clara, again])
    assert [ref.customer_name for ref in task.dialogs] == ["Clara", "Clara"]
    root = await office.viewer("root")
    async with office.db.transaction() as session:
        await links.link_dialog(session, root, task.id, nora)
        task = await queries.task(session, task.id)
    assert [ref.id for ref in task.dialogs] == [clara, again, nora]
    assert [ref.customer_name for ref in task.dialogs] == [None, None, None]


async def test_everyone_who_is_told_a_name_may_see_a_dialog_of_that_customer(office: Office) -> None:
    """Random offices: whoever sees a task that names a customer sees one of the linked dialogs."""
    pick = random.Random(7)
    agents, teams = list(office.agents.values()), [*office.teams.values(), None]
    dialogs = [
        await office.dialog(
            assignee_id=pick.choice([*agents, None]),
            team_id=pick.choice(teams),
            channel_id=pick.choice(list(office.channels.values())),
        )
        for _ in range(8)
    ]
    for _ in range(15):
        task = await office.task(
            "root",
            owner_id=pick.choice(agents),
            team_id=pick.choice(teams),
            dialog_ids=pick.sample(dialogs, pick.choice([0, 1, 1, 2])),
        )
        seen = await who_sees(office, task.id)
        names = {ref.customer_name for ref in task.dialogs} - {None}
        if names:
            assert seen <= await who_sees_dialog(office, task.dialogs[0].id)


async def test_the_log_says_whose_sight_a_task_leaves_and_enters(office: Office) -> None:
    """A dialog changes hands: its tasks are told of anew, with those who lose them."""
    sergey, boris, root = office.agents["sergey"], office.agents["boris"], await office.viewer("root")
    dialog = await office.dialog(assignee_id=sergey)
    task = await office.task("root", dialog_ids=[dialog])
    assert "sergey" in await who_sees(office, task.id)
    async with office.db.transaction() as session:
        await lifecycle.assign(session, root, dialog, {"assignee_id": boris})
    assert await who_sees(office, task.id) == {"boris", "root"}
    (fact,) = await office.facts("task.audience")
    assert (fact.task_id, fact.data) == (task.id, {"from_guest_ids": [str(sergey)]})

    second = await office.task("root", dialog_ids=[dialog], owner_id=office.agents["max"])
    assert await who_sees(office, task.id) == {"boris", "max", "root"}
    async with office.db.transaction() as session:
        await tasks.change(session, root, second.id, TaskChange(owner_id=root.agent_id))
    assert await who_sees(office, task.id) == {"boris", "root"}
    entered, left = (await office.facts("task.audience"))[1:]
    assert (entered.task_id, entered.data) == (task.id, {})
    assert (left.task_id, left.data) == (task.id, {"from_guest_ids": [str(office.agents["max"])]})

    async with office.db.transaction() as session:
        await links.unlink_dialog(session, root, task.id, dialog)
    (unlinked,) = await office.facts("task.unlinked")
    assert unlinked.data["from_guest_ids"] == sorted([str(boris), str(root.agent_id)])


async def test_a_task_names_the_customer_its_dialog_was_moved_to(office: Office) -> None:
    clara, nora = await office.customer("Clara"), await office.customer("Nora")
    task = await office.task("root", dialog_ids=[await office.dialog(clara)])
    async with office.db.transaction() as session:
        identity = Identity(customer_id=clara, scope="email", external_id="c@example.org", kind="email")
        session.add(identity)
        await session.flush()
        await joining.move(session, identity.id, to=nora, actor=facts.SYSTEM)
    (fact,) = await office.facts("task.audience")
    assert fact.task_id == task.id
    async with office.db.transaction() as session:
        (ref,) = (await queries.task(session, task.id)).dialogs
    assert (ref.customer_id, ref.customer_name) == (nora, "Nora")


# --- links ----------------------------------------------------------------------------------


async def test_linking_takes_the_right_to_both_ends(office: Office) -> None:
    sergey = await office.viewer("sergey")
    own = await office.dialog(assignee_id=office.agents["sergey"])
    foreign = await office.dialog(assignee_id=office.agents["boris"])
    task = await office.task("sergey", dialog_ids=[own])
    hidden = await office.task("boris", dialog_ids=[foreign])
    for task_id, dialog_id in ((task.id, foreign), (hidden.id, own)):
        message_id = await office.message(dialog_id)
        for change, target in (
            (links.link_dialog, dialog_id),
            (links.unlink_dialog, dialog_id),
            (links.link_message, message_id),
            (links.unlink_message, message_id),
        ):
            with pytest.raises(NotFound):
                async with office.db.transaction() as session:
                    await change(session, sergey, task_id, target)
    assert "sergey" not in await who_sees_dialog(office, foreign)


async def test_linking_a_message_links_its_dialog_and_unlinking_leaves_it(office: Office) -> None:
    anna = await office.viewer("anna")
    dialog, task = await office.dialog(), await office.task()
    message = await office.message(dialog)
    for _ in range(2):  # the second time changes nothing
        async with office.db.transaction() as session:
            await links.link_message(session, anna, task.id, message)
    assert [fact.data for fact in await office.facts("task.linked")] == [
        {"dialog_id": str(dialog)},
        {"message_id": str(message)},
    ]
    assert (await office.get(dialog)).task_count == 1
    for _ in range(2):
        async with office.db.transaction() as session:
            await links.unlink_message(session, anna, task.id, message)
    async with office.db.transaction() as session:
        now = await queries.task(session, task.id)
    assert ([ref.id for ref in now.dialogs], now.message_ids) == ([dialog], [])
    assert [fact.data for fact in await office.facts("task.unlinked")] == [{"message_id": str(message)}]


async def test_unlinking_a_dialog_takes_its_messages_and_its_counters(office: Office) -> None:
    anna = await office.viewer("anna")
    dialog, other = await office.dialog(), await office.dialog()
    messages = [await office.message(dialog), await office.message(other)]
    task = await office.task(message_ids=messages)
    for _ in range(2):
        async with office.db.transaction() as session:
            await links.unlink_dialog(session, anna, task.id, dialog)
    async with office.db.transaction() as session:
        now = await queries.task(session, task.id)
    assert ([ref.id for ref in now.dialogs], now.message_ids) == ([other], messages[1:])
    row = await office.get(dialog)
    assert (row.task_count, row.next_deadline_at) == (0, None)
    assert len(await office.facts("task.unlinked")) == 2
