"""One thread: which dialog a message joins, and what two messages at once make of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import Sender
from tests.dialogs.desk import Chat, Desk
from tests.dialogs.fake import message

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def close(desk: Desk, dialog_id: object, *, ago: timedelta = timedelta()) -> None:
    """An agent closes; then time passes."""
    answer = await desk.anna.post(f"/dialogs/{dialog_id}/close")
    assert answer.status_code == 200, answer.text
    await desk.db.raw.execute(
        "update dialogs set closed_at = closed_at - $2::interval where id = $1", dialog_id, ago
    )


async def test_a_known_identity_joins_its_open_dialog(desk: Desk) -> None:
    chat = await desk.chat()
    first, second = await chat.write("ivan", "One"), await chat.write("ivan", "Two")
    assert first["dialog_id"] == second["dialog_id"]
    (dialog,) = await chat.dialogs("ivan")
    assert dialog["inbound_count"] == 2
    assert dialog["preview"] == "Two"
    assert dialog["waiting_since"] == first["created_at"]
    told = [fact.type for fact in await desk.facts() if fact.ids.get("customer_id") == first["customer_id"]]
    assert told == [
        "customer.created",
        "identity.added",
        "dialog.opened",
        "message.created",
        "message.created",
    ]


@pytest.mark.parametrize(("kind", "hours"), [("plain", 48), ("email", 120)])
async def test_a_closed_dialog_reopens_within_its_hours_and_not_later(
    desk: Desk, kind: str, hours: int
) -> None:
    chat = await desk.chat(kind)
    who = f"olga-{kind}"
    first = await chat.write(who)
    await close(desk, first["dialog_id"], ago=timedelta(hours=hours, minutes=-1))
    assert (await chat.write(who))["dialog_id"] == first["dialog_id"]
    (dialog,) = await chat.dialogs(who)
    assert (dialog["status"], dialog["closed_at"], dialog["closed_by"]) == ("open", None, None)
    assert "dialog.reopened" in [fact.type for fact in await desk.facts(first["dialog_id"])]
    await close(desk, first["dialog_id"], ago=timedelta(hours=hours, minutes=1))
    later = await chat.write(who)
    assert later["dialog_id"] != first["dialog_id"]
    assert later["customer_id"] == first["customer_id"]
    old, new = await chat.dialogs(who)
    assert (old["status"], new["status"]) == ("closed", "open")


async def test_automatic_mail_neither_reopens_nor_wakes_nor_waits(desk: Desk) -> None:
    chat = await desk.chat("email")
    first = await chat.write("robot")
    await close(desk, first["dialog_id"])
    assert (await chat.write("robot", automatic=True))["dialog_id"] == first["dialog_id"]
    (dialog,) = await chat.dialogs("robot")
    assert (dialog["status"], dialog["waiting_since"]) == ("closed", None)
    await chat.write("robot")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await desk.anna.post(f"/dialogs/{first['dialog_id']}/snooze", json={"until": until})
    await chat.write("robot", automatic=True)
    (dialog,) = await chat.dialogs("robot")
    assert dialog["status"] == "snoozed"
    assert dialog["snoozed_until"] is not None


async def test_a_snoozed_dialog_wakes_when_the_customer_writes(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("zoya")
    answer = await desk.anna.post(f"/dialogs/{first['dialog_id']}/snooze", json={"until": None})
    assert answer.json()["status"] == "snoozed"
    assert (await chat.write("zoya"))["dialog_id"] == first["dialog_id"]
    (dialog,) = await chat.dialogs("zoya")
    assert (dialog["status"], dialog["snoozed_until"]) == ("open", None)
    assert "dialog.woken" in [fact.type for fact in await desk.facts(first["dialog_id"])]


@pytest.mark.parametrize(("many", "lane"), [(2, ""), (10, ""), (50, ""), (10, "chat")])
async def test_first_messages_at_once_make_one_customer_and_one_dialog(
    desk: Desk, many: int, lane: str
) -> None:
    chat = await desk.chat()
    before = await desk.value("select count(*) from customers")
    highest = await desk.value("select coalesce(max(number), 0) from dialogs")
    for number in range(many):
        await chat.store(message("masha", f"No {number}", external_id=str(number)), lane=lane)
    await desk.understand(loops=10)
    assert len(await chat.messages("masha")) == many
    (dialog,) = await chat.dialogs("masha")
    assert dialog["inbound_count"] == many
    assert await desk.value("select count(*) from customers") == before + 1, "an orphan was left"
    assert await desk.value("select count(*) from identities where scope = $1", str(chat.id)) == 1
    types = [fact.type for fact in await desk.facts() if fact.ids.get("channel_id") == chat.id]
    assert [types.count(type) for type in ("customer.created", "identity.added", "dialog.opened")] == [
        1,
        1,
        1,
    ]
    assert types.count("message.created") == many
    await chat.write("next")
    (following,) = await chat.dialogs("next")
    if lane:
        assert (dialog["number"], following["number"]) == (highest + 1, highest + 2), "numbers have gaps"


async def test_a_duplicate_draws_no_dialog_number(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("petr", external_id="same")
    await close(desk, first["dialog_id"], ago=timedelta(days=30))
    await chat.hear(message("petr", external_id="same"))
    later = await chat.write("petr")
    old, new = await chat.dialogs("petr")
    assert later["dialog_id"] == new["id"]
    assert new["number"] == old["number"] + 1


async def test_one_person_by_two_channels_at_once_has_one_dialog(desk: Desk) -> None:
    one, two = await desk.chat(), await desk.chat()
    for chat in (one, two):
        for number in range(5):
            event = message("nina", external_id=str(number), sender=Sender("everywhere", "nina"))
            await chat.store(event, lane="nina")
    await desk.understand(loops=8)
    (dialog,) = await one.dialogs("nina")
    assert dialog["inbound_count"] == 10


async def test_writing_while_an_agent_closes_ends_open(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("fedor")
    for _ in range(6):
        await chat.store(message("fedor", external_id=f"{_}"))
        await asyncio.gather(desk.understand(), desk.anna.post(f"/dialogs/{first['dialog_id']}/close"))
        (dialog,) = await chat.dialogs("fedor")
        if dialog["status"] == "closed":  # closed after the message: the agent saw it or not
            assert dialog["closed_at"] >= dialog["last_message_at"]
            await chat.write("fedor")
    (dialog,) = await chat.dialogs("fedor")
    assert dialog["status"] in ("open", "closed")
    assert len({row["dialog_id"] for row in await chat.messages("fedor")}) == 1


async def test_reopening_while_a_new_dialog_begins_is_a_conflict_not_a_fault(desk: Desk) -> None:
    chat = await desk.chat()
    for turn in range(4):
        who = f"roman{turn}"
        first = await chat.write(who)
        await close(desk, first["dialog_id"], ago=timedelta(days=30))
        await chat.store(message(who, external_id="new"))
        answer, _ = await asyncio.gather(
            desk.anna.post(f"/dialogs/{first['dialog_id']}/reopen"), desk.understand()
        )
        assert answer.status_code in (200, 409), answer.text
        live = [dialog for dialog in await chat.dialogs(who) if dialog["status"] != "closed"]
        assert len(live) == 1


async def test_the_same_message_is_stored_once(desk: Desk) -> None:
    chat = await desk.chat()
    event = message("vera", external_id="7")
    await asyncio.gather(*(chat.store(event) for _ in range(10)))  # ten raw events, one platform id
    await asyncio.gather(*(chat.store(event, key="the same") for _ in range(10)))
    assert await desk.value("select count(*) from inbound where channel_id = $1", chat.id) == 11
    await desk.understand(loops=10)
    assert len(await chat.messages("vera")) == 1
    (dialog,) = await chat.dialogs("vera")
    assert dialog["inbound_count"] == 1
    assert (
        await desk.value("select count(*) from inbound where channel_id = $1 and state = 'done'", chat.id)
        == 11
    )


async def test_messages_without_a_platform_id_are_not_taken_for_one(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.hear(message("anon", "One", external_id=""), message("anon", "Two", external_id=""))
    assert [row["text"] for row in await chat.messages("anon")] == ["One", "Two"]


HOSTILE = [
    "a\x00b",
    "lone \ud800 surrogate",
    "back\\u0000slash",
    "x" * 20_000,
    "<script>alert(1)</script>",
    "\u202e",
]


@pytest.mark.parametrize("text", HOSTILE, ids=["nul", "surrogate", "escaped-nul", "long", "html", "bidi"])
async def test_any_text_arrives(desk: Desk, text: str) -> None:
    chat: Chat = await desk.chat()
    await chat.hear(
        message(
            "hostile",
            text,
            external_id="1",
            sender=Sender("", "hostile", name=text, username=text, email=text, phone=text, locale=text),
            meta={"subject": text, text: {"deep": [text]}},
            aliases=[text],
        )
    )
    (row,) = await chat.messages("hostile")
    assert row["text"] == text.replace("\x00", "").encode("utf-8", "replace").decode()
    state = await desk.value("select state from inbound where channel_id = $1", chat.id)
    assert state == "done"


async def test_a_name_that_comes_later_names_the_customer_once(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.hear(message("vasilisa", sender=Sender("", "vasilisa")))
    await chat.hear(message("vasilisa", sender=Sender("", "vasilisa", name="Vasilisa")))
    await chat.hear(message("vasilisa", sender=Sender("", "vasilisa", name="Somebody else")))
    (dialog,) = await chat.dialogs("vasilisa")
    assert await desk.value("select name from customers where id = $1", dialog["customer_id"]) == "Vasilisa"
    told = "select count(*) from facts where type = 'customer.changed' and customer_id = $1"
    assert await desk.value(told, dialog["customer_id"]) == 1
