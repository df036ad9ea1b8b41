"""What is done beside sending: changed, taken back, reacted to, marked read, acknowledged."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.acts import Acknowledge, Delete, Edit, MarkRead, React
from channels.base import (
    Deleted,
    Edited,
    OutcomeUnknown,
    OutgoingMessage,
    Reaction,
    Rejected,
    RetryLater,
    Sender,
    Sent,
    Unauthorized,
)
from tests.dialogs.desk import Desk
from tests.dialogs.fake import message

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def shown(desk: Desk, message: Any) -> dict[str, Any]:
    """The message as its thread shows it."""
    answer = await desk.anna.get(f"/customers/{message['customer_id']}/messages?limit=200")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(one for one in answer.json()["items"] if one["id"] == str(message["id"]))
    return found


async def edit(desk: Desk, message: Any, text: str) -> Any:
    return await desk.anna.patch(f"/messages/{message['id']}", json={"text": text})


async def test_a_changed_answer_is_changed_when_its_platform_has_changed_it(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("ivan")
    sent = await desk.sent(asked["dialog_id"], "At fife")
    answer = await edit(desk, sent, "At five")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["text"], answer.json()["edited_at"]) == ("At fife", None)
    assert [(act["kind"], act["state"], act["text"]) for act in answer.json()["acts"]] == [
        ("edit", "queued", "At five")
    ]
    await desk.act()
    (act,) = chat.adapter.acts
    assert isinstance(act, Edit)
    assert (act.chat, act.text) == ("ivan", "At five")
    assert act.external_ids == [await external_id(desk, sent)]
    now = await shown(desk, sent)
    assert (now["text"], now["acts"]) == ("At five", [])
    assert now["edited_at"]
    versions = (await desk.anna.get(f"/messages/{sent['id']}/versions")).json()
    assert [one["text"] for one in versions] == ["At fife"]
    (dialog,) = await chat.dialogs("ivan")
    assert dialog["preview"] == "At five"
    told = [fact.type for fact in await desk.facts(asked["dialog_id"])]
    assert told[-2:] == ["message.act", "message.edited"]


async def external_id(desk: Desk, message: Any) -> str:
    found: str = await desk.value("select external_id from messages where id = $1", UUID(message["id"]))
    return found


async def test_a_refused_change_stands_on_its_message_until_it_is_dismissed(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("olga")
    sent = await desk.sent(asked["dialog_id"], "One")
    await edit(desk, sent, "Two")
    chat.adapter.refusal = Rejected("Too old to be changed", code="too_old")
    await desk.act()
    now = await shown(desk, sent)
    assert now["text"] == "One", "what the customer sees"
    (act,) = now["acts"]
    assert (act["state"], act["text"], act["error_code"]) == ("failed", "Two", "too_old")
    answer = await desk.anna.delete(f"/messages/{sent['id']}/acts/edit")
    assert answer.json()["acts"] == []
    await desk.act()
    assert len(chat.adapter.acts) == 1


@pytest.mark.parametrize(
    "error",
    [
        RetryLater("not now", after=timedelta()),
        RetryLater("flood", after=timedelta(), lane=True),
        OutcomeUnknown("who knows"),
        ValueError("a bug"),
    ],
    ids=["later", "lane", "unknown", "bug"],
)
async def test_what_is_in_doubt_is_done_again(desk: Desk, error: Exception) -> None:
    chat = await desk.chat()
    asked = await chat.write("pavel")
    sent = await desk.sent(asked["dialog_id"], "One")
    await edit(desk, sent, "Two")
    chat.adapter.refusal = error
    await desk.act()
    assert (await shown(desk, sent))["text"] == "One"
    chat.adapter.refusal = None
    await desk.again()
    await desk.act()
    assert (await shown(desk, sent))["text"] == "Two"


async def test_refused_credentials_stop_the_channel_and_keep_what_was_asked(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("rita")
    sent = await desk.sent(asked["dialog_id"], "One")
    await edit(desk, sent, "Two")
    chat.adapter.refusal = Unauthorized("revoked")
    await desk.act()
    assert await desk.value("select state from channels where id = $1", chat.id) == "stopped"
    await desk.again()
    await desk.act()
    assert len(chat.adapter.acts) == 1, "a stopped channel is left alone"
    chat.adapter.refusal = None
    await desk.db.raw.execute("update channels set state = 'active' where id = $1", chat.id)
    await desk.act()
    assert (await shown(desk, sent))["text"] == "Two"


async def test_only_the_last_of_several_changes_counts(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("sara")
    sent = await desk.sent(asked["dialog_id"], "1")
    for text in ("2", "3", "4"):
        await edit(desk, sent, text)
    await desk.act(loops=3)
    assert [act.text for act in chat.adapter.acts if isinstance(act, Edit)] == ["4"]
    assert (await shown(desk, sent))["text"] == "4"


async def test_what_has_not_left_and_notes_are_changed_at_once(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("timur")
    queued = await desk.answer(asked["dialog_id"], "One")
    note = await desk.answer(asked["dialog_id"], "Rude", direction="note")
    for written in (queued, note):
        answer = await edit(desk, written, "Two")
        assert (answer.json()["text"], answer.json()["acts"]) == ("Two", [])
    await desk.db.raw.execute("update messages set send_after = now() where id = $1", UUID(queued["id"]))
    await desk.send()
    assert [call.text for call in chat.adapter.calls] == ["Two"]
    await desk.act()
    assert chat.adapter.acts == []
    gone = await desk.anna.delete(f"/messages/{note['id']}")
    assert gone.json()["deleted_at"]


async def test_a_message_taken_back_is_gone_there_and_marked_here(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("uma")

    async def in_parts(message: OutgoingMessage) -> Sent:
        return Sent(["7", "9", "10"])

    chat.adapter.answer = in_parts
    sent = await desk.sent(asked["dialog_id"], "Long")
    answer = await desk.anna.delete(f"/messages/{sent['id']}")
    assert answer.json()["deleted_at"] is None, "not before the platform has done it"
    await desk.act()
    assert chat.adapter.acts == [Delete("uma", ["7", "9", "10"])], "all of its parts"
    now = await shown(desk, sent)
    assert (bool(now["deleted_at"]), now["text"]) == (True, "Long")
    assert (await edit(desk, sent, "Else")).status_code == 409


async def test_who_may_not_and_what_cannot_be_changed_is_told(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("vera")
    sent = await desk.sent(asked["dialog_id"], "One")
    assert (await edit(desk, asked, "Mine now")).status_code == 409, "the customer's words are his"
    stranger = await desk.boris.patch(f"/messages/{sent['id']}", json={"text": "x"})
    assert stranger.status_code == 404
    other = await desk.world.add_agent("colleague", team_ids=(desk.world.support,))
    assert (await other.patch(f"/messages/{sent['id']}", json={"text": "x"})).status_code == 403
    assert (await edit(desk, sent, " ")).status_code == 400
    assert (await edit(desk, sent, "x" * 30_001)).status_code in (400, 422)
    await desk.db.raw.execute(
        "update messages set sent_at = now() - interval '49 hours' where id = $1", UUID(sent["id"])
    )
    late = await desk.anna.delete(f"/messages/{sent['id']}")
    assert (late.status_code, late.json()["code"]) == (409, "cannot_change")
    assert "48 hours" in late.json()["detail"]
    assert chat.adapter.acts == []


async def test_reactions_of_ours_and_of_the_customer(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("wanda")
    sent = await desk.sent(asked["dialog_id"])
    answer = await desk.anna.put(f"/messages/{asked['id']}/reaction", json={"emoji": "👍"})
    assert [act["emoji"] for act in answer.json()["acts"]] == ["👍"]
    assert (await desk.anna.put(f"/messages/{asked['id']}/reaction", json={"emoji": "🐘"})).status_code == 400
    await desk.act()
    assert chat.adapter.acts == [React("wanda", asked["external_id"], "👍")]
    (reaction,) = (await shown(desk, asked))["reactions"]
    assert (reaction["emoji"], reaction["by"]) == ("👍", "agent")
    his = Reaction("wanda", await external_id(desk, sent), Sender("", "wanda"), ["❤", "🔥"])
    await chat.hear(his, his)
    assert [one["emoji"] for one in (await shown(desk, sent))["reactions"]] == ["❤", "🔥"]
    told = [fact.type for fact in await desk.facts(asked["dialog_id"])]
    assert told.count("message.reaction") == 2, "said twice, told once"
    await chat.hear(replace(his, emojis=[]))
    assert (await shown(desk, sent))["reactions"] == []
    await desk.anna.put(f"/messages/{asked['id']}/reaction", json={"emoji": ""})
    await desk.act()
    assert (await shown(desk, asked))["reactions"] == []


async def test_what_the_customer_deletes_is_marked_and_kept(desk: Desk) -> None:
    chat = await desk.chat()
    first, second = await chat.write("xenia", "I am angry"), await chat.write("xenia", "Sorry")
    await chat.hear(Deleted("xenia", [first["external_id"], "never-seen"]))
    assert (await shown(desk, first))["deleted_at"]
    assert (await shown(desk, first))["text"] == "I am angry"
    assert (await shown(desk, second))["deleted_at"] is None
    actor = next(f for f in await desk.facts(first["dialog_id"]) if f.type == "message.deleted").actor_kind
    assert actor == "customer"


async def test_an_edit_brings_its_place_along_and_says_who_made_it(desk: Desk) -> None:
    """A live location moves by edits; staff may change an answer in the platform's own interface."""
    chat = await desk.chat()
    asked = await chat.write("yana", "55.1, 37.1", meta={"location": {"latitude": 55.1, "longitude": 37.1}})
    place = {"latitude": 55.2, "longitude": 37.2}
    await chat.hear(Edited("yana", asked["external_id"], "55.2, 37.2", meta={"location": place}))
    assert (await shown(desk, asked))["meta"]["location"] == place
    await chat.hear(
        Edited("yana", asked["external_id"], "55.2, 37.2", meta={"location": place, "entities": []})
    )
    sent = await desk.sent(asked["dialog_id"], "Turn left")
    await chat.hear(Edited("yana", await external_id(desk, sent), "Turn right"))
    assert (await shown(desk, sent))["text"] == "Turn right"
    edits = [fact for fact in await desk.facts(asked["dialog_id"]) if fact.type == "message.edited"]
    assert [fact.actor_kind for fact in edits] == ["customer", "system"]


async def test_the_platform_hears_what_was_read_once_all_of_it_was(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.write("zoya", "One")
    last = await chat.write("zoya", "Two")
    path = f"/dialogs/{last['dialog_id']}/read"
    for count in (1, 2, 2):
        assert (await desk.anna.post(path, json={"inbound_count": count})).status_code == 200
    await desk.act()
    assert chat.adapter.acts == [MarkRead("zoya", last["external_id"])]


async def test_a_pressed_button_is_acknowledged_and_shown(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("adam")
    rows = [[{"text": "Yes", "data": "y"}, {"text": "Site", "url": "https://example.org"}]]
    sent = await desk.sent(asked["dialog_id"], "Shall we?", buttons=rows)
    (call,) = chat.adapter.calls
    assert [[(one.text, one.data, one.url) for one in row] for row in call.buttons] == [
        [("Yes", "y", ""), ("Site", "", "https://example.org")]
    ]
    assert (await shown(desk, sent))["meta"]["buttons"][0][0]["text"] == "Yes"
    await chat.hear(message("adam", "Yes", acknowledge="q-1", meta={"pressed": "Yes"}))
    await desk.act()
    assert chat.adapter.acts == [Acknowledge("adam", "q-1", "adam")]
    too_many = await desk.post(
        asked["dialog_id"], buttons=[[{"text": str(n), "data": "d"}] for n in range(5)]
    )
    assert (too_many.status_code, "4 buttons" in too_many.json()["detail"]) == (400, True)


async def test_who_takes_an_act_over_settles_it_once(desk: Desk) -> None:
    """A process that hung comes back when another has done the act: nothing is done a second time here."""
    chat = await desk.chat()
    asked = await chat.write("boris-b")
    sent = await desk.sent(asked["dialog_id"], "One")
    await edit(desk, sent, "Two")

    async def taken_over(act: object) -> None:
        chat.adapter.acts.append(act)  # type: ignore[arg-type]
        if len(chat.adapter.acts) == 1:
            await desk.again()
            await desk.act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat.adapter, "act", taken_over)
        await desk.act()
    assert len(chat.adapter.acts) == 2
    edits = [fact for fact in await desk.facts(asked["dialog_id"]) if fact.type == "message.edited"]
    assert len(edits) == 1
