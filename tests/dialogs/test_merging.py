"""Merging customers and undoing it: what was is restored, what came later goes with its contact."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dialogs.desk import Desk
from tests.dialogs.fake import message
from tests.dialogs.people import People, merge

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("a", "b", "c", "d")
some = settings(
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def change(people: People, name: str, **fields: str) -> None:
    answer = await people.desk.anna.patch(f"/customers/{people.ids[name]}", json=fields)
    assert answer.status_code == 200, answer.text


async def act(people: People, dialog_id: object, what: str, **body: Any) -> None:
    answer = await people.desk.anna.post(f"/dialogs/{dialog_id}/{what}", json=body or None)
    assert answer.status_code == 200, answer.text


# --- what a merge does ----------------------------------------------------------------------


async def test_a_merge_makes_one_thread_of_two_and_undoing_it_two_again(desk: Desk) -> None:
    people = await People.at(desk, "ivan", "vanya")
    before = await people.state()
    id = await people.merge("ivan", "vanya")
    card = await people.card("ivan")
    assert [identity["external_id"] for identity in card["identities"]] == ["ivan", "vanya"]
    thread = (await desk.anna.get(f"/customers/{card['id']}/messages")).json()["items"]
    assert [entry["text"] for entry in thread if entry["direction"] == "in"] == [
        "Hello from ivan",
        "Hello from vanya",
    ]
    assert (await people.card("vanya"))["id"] == card["id"], "the merged one's address leads to the kept one"
    (told,) = card["merges"]
    assert (told["merged_id"], told["undone_at"]) == (str(people.ids["vanya"]), None)
    await people.undo(id)
    assert await people.state() == before
    assert (await people.card("ivan"))["merges"][0]["undone_by"] == str(desk.anna.agent_id)


async def test_of_two_open_dialogs_the_newer_stays_and_waits_for_both(desk: Desk) -> None:
    people = await People.at(desk, "older", "newer")
    older, newer = await people.chat.dialogs("older"), await people.chat.dialogs("newer")
    id = await people.merge("older", "newer")
    closed, opened = await people.chat.dialogs("older")
    assert (closed["id"], closed["status"]) == (older[0]["id"], "closed")
    assert (opened["id"], opened["status"]) == (newer[0]["id"], "open")
    assert opened["waiting_since"] == older[0]["waiting_since"], "who waited longer goes on waiting"
    (line,) = [row for row in await people.chat.messages("older") if row["direction"] == "system"]
    meta = json.loads(line["meta"])
    assert (line["dialog_id"], meta["kind"]) == (closed["id"], "dialog.gave_way")
    assert meta["dialog_number"] == opened["number"]
    await people.undo(id)
    assert (await people.chat.dialogs("older"))[0]["status"] == "open"


async def test_the_owner_of_the_dialog_that_gives_way_is_handed_on(desk: Desk) -> None:
    people = await People.at(desk, "mine", "nobodys")
    (mine,) = await people.chat.dialogs("mine")
    await desk.anna.patch(f"/dialogs/{mine['id']}", json={"assignee_id": str(desk.anna.agent_id)})
    before = await people.state()
    id = await people.merge("mine", "nobodys")
    assert (await people.open_dialog("mine"))["assignee_id"] == desk.anna.agent_id
    await people.undo(id)
    assert await people.state() == before


async def test_a_snoozed_dialog_does_not_hide_who_waits(desk: Desk) -> None:
    people = await People.at(desk, "waits", "sleeps")
    (asleep,) = await people.chat.dialogs("sleeps")
    await desk.anna.post(f"/dialogs/{asleep['id']}/snooze", json={"until": None})
    before = await people.state()
    id = await people.merge("sleeps", "waits")
    assert (await people.open_dialog("waits"))["status"] == "open"
    await people.undo(id)
    assert await people.state() == before


async def test_closing_what_is_open_settles_what_it_stood_for(desk: Desk) -> None:
    people = await People.at(desk, "one", "two")
    id = await people.merge("one", "two")
    await act(people, (await people.open_dialog("one"))["id"], "close")
    await people.undo(id)
    for name in ("one", "two"):
        assert [dialog["status"] for dialog in await people.chat.dialogs(name)] == ["closed"]


async def test_an_answer_counts_for_whom_it_was_sent_to(desk: Desk) -> None:
    people = await People.at(desk, "asks", "asks too")
    id = await people.merge("asks", "asks too")
    card = await people.card("asks")
    to = next(one["id"] for one in card["identities"] if one["external_id"] == "asks")
    await desk.answer((await people.open_dialog("asks"))["id"], "Here you are", identity_id=to)
    await desk.send()
    await people.undo(id)
    (answered,), (waits,) = await people.chat.dialogs("asks"), await people.chat.dialogs("asks too")
    assert (answered["waiting_since"], answered["preview"]) == (None, "Here you are")
    assert waits["waiting_since"] is not None
    assert waits["preview"] == "Hello from asks too"


async def test_what_came_later_goes_with_its_contact(desk: Desk) -> None:
    people = await People.at(desk, "keeps", "leaves")
    id = await people.merge("keeps", "leaves")
    await people.write("leaves", "Later, by the one")
    await people.write("keeps", "Later, by the other")
    note = {"client_key": uuid4().hex, "direction": "note", "text": "A note"}
    await desk.anna.post(f"/dialogs/{(await people.open_dialog('keeps'))['id']}/messages", json=note)
    await people.undo(id)
    said = {name: [m["text"] for m in await people.chat.messages(name) if m["text"]] for name in people.ids}
    assert said == {
        "keeps": ["Hello from keeps", "Later, by the other"],
        "leaves": ["Hello from leaves", "Later, by the one", "A note"],
    }


async def test_a_dialog_that_began_later_goes_with_its_only_contact(desk: Desk) -> None:
    people = await People.at(desk, "stays", "goes")
    id = await people.merge("stays", "goes")
    await act(people, (await people.open_dialog("stays"))["id"], "close")
    await desk.db.raw.execute("update dialogs set closed_at = closed_at - interval '9 days'")
    later = await people.write("goes", "Another matter")
    assert later["customer_id"] == people.ids["stays"]
    await people.undo(id)
    assert [dialog["id"] for dialog in await people.chat.dialogs("goes")][-1] == later["dialog_id"]
    assert [dialog["inbound_count"] for dialog in await people.chat.dialogs("stays")] == [1]


# --- fields ---------------------------------------------------------------------------------


async def test_fields_in_conflict_are_kept_with_whose_they_are_and_empty_ones_filled(desk: Desk) -> None:
    people = await People.at(desk, "anna p", "anya")
    await change(people, "anna p", phone="+79161234567")
    await change(people, "anya", phone="+79990001122", email="anya@example.org")
    before = await people.state()
    preview = (
        await desk.anna.get(
            f"/customers/{people.ids['anna p']}/merge-preview", params={"with": str(people.ids["anya"])}
        )
    ).json()
    assert preview["conflicts"] == [
        {"field": "name", "kept": "Anna P", "merged": "Anya"},
        {"field": "phone", "kept": "+79161234567", "merged": "+79990001122"},
    ]
    assert (preview["identities"], preview["dialog_count"], preview["message_count"]) == (["Anya"], 1, 1)
    assert [one["stays_open"] for one in preview["open_dialogs"]] == [True, False]
    id = await people.merge("anna p", "anya")
    card = await people.card("anna p")
    assert (card["name"], card["phone"], card["email"]) == ("Anna P", "+79161234567", "anya@example.org")
    assert [(also["field"], also["value"], also["customer_name"]) for also in card["also"]] == [
        ("name", "Anya", "Anya"),
        ("phone", "+79990001122", "Anya"),
    ]
    found = (await desk.anna.get("/customers", params={"q": "79990001122"})).json()["items"]
    assert [customer["id"] for customer in found] == [card["id"]], "found by what the other was known by"
    await people.undo(id)
    assert await people.state() == before


async def test_what_an_agent_wrote_over_a_lent_field_stays(desk: Desk) -> None:
    people = await People.at(desk, "kept one", "lender")
    await change(people, "lender", email="old@example.org")
    id = await people.merge("kept one", "lender")
    await change(people, "kept one", email="new@example.org")
    await people.undo(id)
    assert (await people.card("kept one"))["email"] == "new@example.org"
    assert (await people.card("lender"))["email"] == "old@example.org"


# --- any order ------------------------------------------------------------------------------


async def _various(people: People, states: tuple[str, ...]) -> None:
    """Dialogs in all kinds of states."""
    for name, state in zip(people.ids, states, strict=False):
        (dialog,) = await people.chat.dialogs(name)
        if state == "closed":
            await act(people, dialog["id"], "close")
        elif state == "snoozed":
            answer = await people.desk.anna.post(f"/dialogs/{dialog['id']}/snooze", json={"until": None})
            assert answer.status_code == 200
        elif state == "mine":
            await people.desk.anna.patch(
                f"/dialogs/{dialog['id']}", json={"assignee_id": str(people.desk.anna.agent_id)}
            )
        elif state == "known":
            await change(people, name, phone=f"+7916000000{len(name)}", email=f"{name}@example.org")


async def _merge_all(people: People, pairs: list[tuple[int, int]], *, later: bool = False) -> None:
    """Merge by pairs, as far as they are two still."""
    for first, second in pairs:
        owners = [(await people.card(NAMES[one]))["id"] for one in (first, second)]
        if owners[0] == owners[1]:
            continue
        names = {str(id): name for name, id in people.ids.items()}
        await people.merge(names[owners[0]], names[owners[1]])
        if later:
            for name in (NAMES[second], NAMES[first]):
                await people.write(name, f"Later {len(people.merges)} from {name}")


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5)
states = st.tuples(*[st.sampled_from(("open", "closed", "snoozed", "mine", "known"))] * 4)


@some
@given(pairs=pairs, states=states, random=st.randoms(use_true_random=False))
async def test_any_order_of_merges_undone_in_any_order_ends_where_it_began(
    desk: Desk, pairs: list[tuple[int, int]], states: tuple[str, ...], random: Any
) -> None:
    people = await People.at(desk, *NAMES)
    await _various(people, states)
    before = await people.state()
    await _merge_all(people, pairs)
    for id in random.sample(people.merges, len(people.merges)):
        await people.undo(id)
        if random.random() < 0.3:
            await _merge_all(people, [(random.randrange(4), random.randrange(4))])
    for id in random.sample(people.merges, len(people.merges)):
        await people.undo(id)
    assert await people.state() == before


@some
@given(pairs=pairs, states=states, random=st.randoms(use_true_random=False))
async def test_the_order_of_undoing_decides_nothing(
    desk: Desk, pairs: list[tuple[int, int]], states: tuple[str, ...], random: Any
) -> None:
    """Two sets of people to whom the same happened, with messages in between, undone in two orders."""
    ends = []
    for _ in range(2):
        people = await People.at(desk, *NAMES)
        await _various(people, states)
        await _merge_all(people, pairs, later=True)
        for id in random.sample(people.merges, len(people.merges)):
            await people.undo(id)
        ends.append(await people.likeness())
        for row in ends[-1]:
            assert row["customer_id"] == row["owner"] == row["external_id"] == row["whose"]
    assert ends[0] == ends[1]


# --- at the same time -----------------------------------------------------------------------


async def test_two_who_merge_the_same_two_at_once_do_it_once(desk: Desk) -> None:
    people = await People.at(desk, "left", "right")
    left, right = people.ids["left"], people.ids["right"]
    admin = desk.world.admin
    answers = await asyncio.gather(
        merge(desk.anna, left, right),
        merge(admin, right, left),
        merge(admin, left, right),
        merge(desk.anna, right, left),
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 201
    assert set(codes[1:]) <= {404, 409}
    assert await desk.value("select count(*) from merges where kept_id in ($1, $2)", left, right) == 1


async def test_messages_that_come_while_customers_are_merged_and_parted_are_not_lost(desk: Desk) -> None:
    """Both write all the time, their messages are understood by several loops, and an agent cannot decide."""
    people = await People.at(desk, "busy", "busier")
    count = 40
    open_ones = "select id from dialogs where channel_id = $1 and status <> 'closed'"

    async def arrive() -> None:
        for number in range(count):
            for name in ("busier", "busy") if number % 2 else ("busy", "busier"):
                await people.chat.store(*_messages(name, number))
            await desk.understand(loops=3)

    async def decide() -> None:
        for _ in range(12):
            await people.undo(await people.merge("busy", "busier"))

    async def answer() -> None:
        for number in range(15):
            for dialog in await desk.rows(open_ones, people.chat.id):
                posted = await desk.post(dialog["id"], f"Answer {number}")
                assert posted.status_code in (201, 409), posted.text
            await desk.send()

    await asyncio.gather(arrive(), decide(), answer())
    await desk.again()
    await desk.understand()
    await desk.send()
    for name in people.ids:
        texts = [m["text"] for m in await people.chat.messages(name) if m["text"].startswith(name)]
        assert sorted(texts) == sorted(f"{name} {number}" for number in range(count))
    astray = await desk.rows(
        "select m.text, m.direction from messages m join dialogs d on d.id = m.dialog_id "
        "left join identities i on i.id = m.identity_id "
        "where m.customer_id <> d.customer_id or i.customer_id <> m.customer_id"
    )
    assert astray == []


def _messages(name: str, number: int) -> list[Any]:
    return [message(name, f"{name} {number}", external_id=f"{name}{number}")]


# --- rights ---------------------------------------------------------------------------------


async def test_who_does_not_see_both_sees_no_merge(desk: Desk) -> None:
    people = await People.at(desk, "seen", "unseen")
    stranger = desk.boris
    other = await desk.chat(team=desk.world.sales)
    his = await other.write("his own")
    for kept, merged in ((his["customer_id"], people.ids["seen"]), (people.ids["seen"], his["customer_id"])):
        assert (await merge(stranger, kept, merged)).status_code == 404
        preview = f"/customers/{kept}/merge-preview"
        assert (await stranger.get(preview, params={"with": str(merged)})).status_code == 404
    id = await people.merge("seen", "unseen")
    assert (await stranger.post(f"/merges/{id}/undo")).status_code == 404
    assert (await stranger.post(f"/merges/{uuid4()}/undo")).status_code == 404
    await people.undo(id)
    assert (await desk.anna.post(f"/merges/{id}/undo")).status_code == 409
    assert (await merge(desk.anna, people.ids["seen"], people.ids["seen"])).status_code == 400


async def test_the_log_tells_of_merges_with_ids_alone(desk: Desk) -> None:
    people = await People.at(desk, "told", "told too")
    id = await people.merge("told", "told too")
    await people.undo(id)
    facts = [fact for fact in await desk.facts() if fact.type.startswith("customer.")]
    kept, merged = people.ids["told"], people.ids["told too"]
    data = {"merge_id": str(id), "merged_id": str(merged)}
    assert [(fact.type, fact.ids["customer_id"], fact.data) for fact in facts[-3:]] == [
        ("customer.merged", kept, data),
        ("customer.unmerged", kept, data),
        ("customer.unmerged", merged, data),
    ]
