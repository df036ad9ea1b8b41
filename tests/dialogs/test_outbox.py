"""Honest delivery: order, pauses, refusals, doubts; one process per message; undo; where an answer goes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from channels.base import (
    DeliveryError,
    OutcomeUnknown,
    OutgoingMessage,
    Rejected,
    RetryLater,
    Sender,
    Sent,
    Unauthorized,
)
from dialogs import outbox
from dialogs.lanes import Lanes
from tests.dialogs.desk import Chat, Desk
from tests.helpers import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


def fails(chat: Chat, *errors: Exception | None, on: str = "") -> None:
    """The next sends (of the text `on`) end with these errors; None and all later ones succeed."""
    left = list(errors)

    async def answer(message: OutgoingMessage) -> Sent:
        if (not on or message.text == on) and left and (error := left.pop(0)) is not None:
            raise error
        return await chat.adapter.take(message)

    chat.adapter.answer = answer


def texts(chat: Chat) -> list[str]:
    return [call.text for call in chat.adapter.calls]


async def waits(chat: Chat, who: str) -> bool:
    (dialog,) = await chat.dialogs(who)
    return dialog["waiting_since"] is not None


async def test_an_answer_is_sent_with_all_it_needs(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("anton", meta={"subject": "Parcel"})
    upload = await desk.anna.post("/files", files={"file": ("bill.txt", b"42", "text/plain")})
    answer = await desk.answer(
        first["dialog_id"], "Here", reply_to_id=str(first["id"]), attachment_ids=[upload.json()["id"]]
    )
    assert (answer["status"], answer["author_id"]) == ("queued", desk.anna.id)
    assert not await waits(chat, "anton")
    await desk.send()
    (call,) = chat.adapter.calls
    assert (call.key, call.chat, call.recipient) == (str(answer["seq"]), "anton", "anton")
    assert (call.reply_to, call.meta, call.author) == (first["external_id"], {"subject": "Parcel"}, "Anna")
    assert [(file.name, await file.content.read()) for file in call.files] == [("bill.txt", b"42")]
    row = await desk.row("select * from messages where id = $1", UUID(answer["id"]))
    assert (row["status"], row["external_id"], row["attempts"]) == ("sent", f"p{answer['seq']}", 1)
    assert row["sent_at"] is not None


async def test_dialogs_are_sent_in_order_and_side_by_side(desk: Desk) -> None:
    chat = await desk.chat()
    people = [f"p{number}" for number in range(4)]
    under_way: set[str] = set()
    together = 0

    async def answer(message: OutgoingMessage) -> Sent:
        nonlocal together
        assert message.chat not in under_way, "two of one dialog at once"
        under_way.add(message.chat)
        together = max(together, len(under_way))
        await asyncio.sleep(0.002)
        under_way.discard(message.chat)
        return await chat.adapter.take(message)

    chat.adapter.answer = answer
    for who in people:
        first = await chat.write(who)
        for number in range(5):
            await desk.answer(first["dialog_id"], str(number))
    await desk.send(loops=4)
    for _ in range(20):  # a loop that found every dialog taken has ended early
        await desk.send(loops=4)
    for who in people:
        assert [call.text for call in chat.adapter.calls if call.chat == who] == list("01234")
    assert together > 1


async def test_a_retried_message_holds_back_its_dialog_only(desk: Desk) -> None:
    chat = await desk.chat()
    one, two = await chat.write("one"), await chat.write("two")
    for row in (one, two):
        for number in "ab":
            await desk.answer(row["dialog_id"], f"{row['chat']} {number}")
    fails(chat, RetryLater("busy"), RetryLater("busy"), on="one a")
    await desk.send(loops=3)
    await desk.send()
    assert texts(chat).count("one b") == 0
    assert [text for text in texts(chat) if text.startswith("two")] == ["two a", "two b"]
    for _ in range(2):
        await desk.again()
        await desk.send(loops=3)
    assert [text for text in texts(chat) if text.startswith("one")] == ["one a", "one a", "one a", "one b"]


async def test_a_scheduled_message_waits_for_its_time_and_blocks_nothing(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("later")
    when = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    scheduled = await desk.answer(first["dialog_id"], "Tomorrow", send_after=when)
    await desk.answer(first["dialog_id"], "Now")
    await desk.send()
    assert texts(chat) == ["Now"]
    assert await desk.status(scheduled) == "queued"
    await desk.db.raw.execute("update messages set send_after = now() where id = $1", UUID(scheduled["id"]))
    await desk.send()
    assert texts(chat) == ["Now", "Tomorrow"]
    answer = await desk.post(first["dialog_id"], send_after="2030-01-01T00:00:00")
    assert answer.status_code == 400


async def test_undo_holds_a_message_back(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("undo")
    settings = desk.world.app.state.settings
    settings.undo_seconds = 60
    try:
        answer = await desk.answer(first["dialog_id"])
        early = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        other = await desk.answer(first["dialog_id"], send_after=early)
    finally:
        settings.undo_seconds = 0
    await desk.send()
    assert chat.adapter.calls == []
    for given in (answer, other):
        done = await desk.anna.post(f"/messages/{given['id']}/cancel")
        assert (done.status_code, done.json()["status"]) == (200, "cancelled")
    (dialog,) = await chat.dialogs("undo")
    assert dialog["waiting_since"] == first["created_at"]
    await desk.db.raw.execute(
        "update messages set send_after = now() where dialog_id = $1", first["dialog_id"]
    )
    await desk.send()
    assert chat.adapter.calls == []


async def test_a_flood_limit_freezes_the_channel_and_costs_no_attempt(desk: Desk) -> None:
    chat, other = await desk.chat(), await desk.chat()
    fails(chat, RetryLater("flood", after=timedelta(minutes=5), lane=True))
    for number in range(3):
        first = await chat.write(f"flood{number}")
        await desk.answer(first["dialog_id"])
    await desk.answer((await other.write("calm"))["dialog_id"])
    await desk.send()
    assert (len(chat.adapter.calls), len(other.adapter.calls)) == (1, 1)
    row = await desk.row("select frozen_until - now() as left, state from channels where id = $1", chat.id)
    assert timedelta(minutes=4) < row["left"] <= timedelta(minutes=5)
    assert row["state"] == "active"
    await desk.again()
    await desk.send()
    assert len(chat.adapter.calls) == 4
    attempts = await desk.rows(
        "select attempts from messages where channel_id = $1 and direction = 'out'", chat.id
    )
    assert {row["attempts"] for row in attempts} == {1}


async def test_the_longer_of_two_freezes_counts(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("frozen")
    await desk.answer(first["dialog_id"])

    async def answer(message: OutgoingMessage) -> Sent:
        await desk.db.raw.execute(
            "update channels set frozen_until = now() + interval '1 hour' where id = $1", chat.id
        )
        raise RetryLater("flood", after=timedelta(seconds=5), lane=True)

    chat.adapter.answer = answer
    await desk.send()
    left = await desk.value("select frozen_until - now() from channels where id = $1", chat.id)
    assert left > timedelta(minutes=50)


async def test_retry_pauses_as_long_as_asked(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("pause")
    answer = await desk.answer(first["dialog_id"])
    fails(chat, RetryLater("slow down", after=timedelta(minutes=3)))
    await desk.send()
    row = await desk.row(
        "select status, error, next_attempt_at - now() as left from messages where id = $1",
        UUID(answer["id"]),
    )
    assert (row["status"], row["error"]) == ("queued", "slow down")
    assert timedelta(minutes=2) < row["left"] <= timedelta(minutes=3)


async def test_what_could_not_be_sent_for_a_day_has_failed(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("day")
    answer = await desk.answer(first["dialog_id"])
    await desk.db.raw.execute(
        "update messages set send_after = send_after - interval '25 hours' where id = $1", UUID(answer["id"])
    )
    fails(chat, RetryLater("busy"))
    await desk.send()
    assert await desk.status(answer) == "failed"
    assert await waits(chat, "day")


async def test_a_rejected_message_fails_and_the_customer_waits_where_he_waited(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("reject")
    fails(chat, Rejected("Too long\x00", code="too_long"))
    answer = await desk.answer(first["dialog_id"])
    await desk.answer(first["dialog_id"], "A note after it", direction="note")
    await desk.send()
    row = await desk.row("select status, error, error_code from messages where id = $1", UUID(answer["id"]))
    assert row == {"status": "failed", "error": "Too long", "error_code": "too_long"}
    (dialog,) = await chat.dialogs("reject")
    assert dialog["waiting_since"] == first["created_at"]


async def test_a_closed_dialog_whose_last_answer_failed_comes_back(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("closed")
    fails(chat, Rejected("no"))
    await desk.answer(first["dialog_id"])
    assert (await desk.anna.post(f"/dialogs/{first['dialog_id']}/close")).status_code == 200
    await desk.send()
    (dialog,) = await chat.dialogs("closed")
    assert dialog["status"] == "open"
    assert await waits(chat, "closed")


async def test_a_later_answer_that_arrives_ends_the_wait(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("second")
    fails(chat, Rejected("no"), None)
    await desk.answer(first["dialog_id"], "One")
    await desk.answer(first["dialog_id"], "Two")
    await desk.send()
    assert not await waits(chat, "second")


async def test_who_blocked_us_is_unreachable(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("blocked")
    fails(chat, Rejected("blocked", code="blocked", unreachable=True))
    await desk.answer(first["dialog_id"])
    await desk.send()
    answer = await desk.post(first["dialog_id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "identity_unreachable")


async def test_refused_credentials_stop_the_channel_and_keep_the_message(desk: Desk) -> None:
    chat = await desk.chat("email")
    first = await chat.write("key")
    fails(chat, Unauthorized("The token was revoked"))
    answer = await desk.answer(first["dialog_id"])
    await desk.send()
    await desk.again()
    await desk.send()
    assert len(chat.adapter.calls) == 1
    row = await desk.row("select state, error from channels where id = $1", chat.id)
    assert row == {"state": "stopped", "error": "The token was revoked"}
    assert await desk.status(answer) == "queued"
    resumed = await desk.world.admin.post(f"/channels/{chat.id}/resume")
    assert resumed.status_code == 200, resumed.text
    await desk.send()
    assert await desk.status(answer) == "sent"


DOUBTS: list[Exception] = [OutcomeUnknown("lost"), RuntimeError("a bug"), TimeoutError()]


@pytest.mark.parametrize("error", DOUBTS, ids=["unknown", "bug", "time-out"])
@pytest.mark.parametrize("kind", ["plain", "deduplicating"])
async def test_a_doubt_is_repeated_only_where_that_is_harmless(
    desk: Desk, kind: str, error: Exception
) -> None:
    chat = await desk.chat(kind)
    who = f"doubt-{uuid4().hex}"
    first = await chat.write(who)
    fails(chat, error)
    answer = await desk.answer(first["dialog_id"])
    for _ in range(3):
        await desk.send()
        await desk.again()
    keys = [call.key for call in chat.adapter.calls]
    if kind == "plain":
        assert (len(keys), await desk.status(answer)) == (1, "unknown")
        assert await waits(chat, who)
    else:
        assert keys == [str(answer["seq"])] * 2
        assert await desk.status(answer) == "sent"
        assert not await waits(chat, who)


async def test_an_endless_send_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "SEND_SECONDS", 0.3)
    chat = await desk.chat()
    first = await chat.write("endless")

    async def answer(message: OutgoingMessage) -> Sent:
        await asyncio.Event().wait()
        raise AssertionError

    chat.adapter.answer = answer
    posted = await desk.answer(first["dialog_id"])
    await desk.send()
    assert await desk.status(posted) == "unknown"
    assert await desk.value("select error_code from messages where id = $1", UUID(posted["id"])) == "timeout"


@pytest.mark.parametrize("kind", ["plain", "deduplicating"])
async def test_nothing_is_in_doubt_when_it_could_not_be_prepared(
    desk: Desk, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await desk.chat(kind)
    first = await chat.write(f"prepare-{kind}")
    answer = await desk.answer(first["dialog_id"])

    async def away(*_: Any, **__: Any) -> Any:
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr("dialogs.outgoing.compose", away)
        await desk.send()
    assert await desk.status(answer) == "queued"
    assert chat.adapter.calls == []
    await desk.again()
    await desk.send()
    assert await desk.status(answer) == "sent"


async def test_a_file_that_is_gone_fails_before_anything_leaves(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("gone")
    upload = (await desk.anna.post("/files", files={"file": ("a.txt", b"a", "text/plain")})).json()
    answer = await desk.answer(first["dialog_id"], attachment_ids=[upload["id"]])
    key = await desk.value("select file_key from attachments where id = $1", UUID(upload["id"]))
    await desk.world.app.state.files.delete(key)
    await desk.send()
    assert chat.adapter.calls == []
    assert await desk.status(answer) == "failed"


async def test_no_message_is_sent_twice_by_many_at_once(desk: Desk) -> None:
    chat = await desk.chat()
    rows = []
    for number in range(10):
        rows.append(await chat.write(f"crowd{number}"))
    await desk.db.raw.execute(
        "insert into messages (customer_id, dialog_id, channel_id, identity_id, chat, direction, status,"
        " text, send_after) select m.customer_id, m.dialog_id, m.channel_id, m.identity_id, m.chat, 'out',"
        " 'queued', n, now() from messages m, generate_series(101, 120) n where m.id = any($1) order by n",
        [row["id"] for row in rows],
    )
    while await desk.value("select count(*) from messages where status in ('queued', 'sending')"):
        await desk.send(loops=8)
    assert len(chat.adapter.calls) == 200
    assert len({call.key for call in chat.adapter.calls}) == 200
    for number in range(10):
        mine = [call.text for call in chat.adapter.calls if call.chat == f"crowd{number}"]
        assert mine == sorted(mine)


async def test_cancelling_and_sending_at_once_agree(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("race")
    answers = [await desk.answer(first["dialog_id"], str(number)) for number in range(12)]
    cancelled, *_ = await asyncio.gather(
        asyncio.gather(*(desk.anna.post(f"/messages/{answer['id']}/cancel") for answer in answers)),
        desk.send(loops=2),
    )
    await desk.send()
    for answer, cancel in zip(answers, cancelled, strict=True):
        left = answer["text"] in texts(chat)
        assert await desk.status(answer) == ("sent" if left else "cancelled")
        assert cancel.status_code == (409 if left else 200)
        assert not left or cancel.json()["code"] == "cannot_cancel"


@pytest.mark.parametrize("error", [Rejected("no"), OutcomeUnknown("lost")])
async def test_taking_back_and_failing_do_not_wait_for_each_other(desk: Desk, error: DeliveryError) -> None:
    chat = await desk.chat()
    first = await chat.write("lock")
    answer = await desk.answer(first["dialog_id"])
    fails(chat, error)
    async with desk.db.raw.acquire() as connection, connection.transaction():
        await connection.execute("set local lock_timeout = '3s'")
        await connection.execute("select 1 from dialogs where id = $1 for update", first["dialog_id"])
        sending = asyncio.create_task(desk.send())
        await eventually(lambda: waiting_for_a_lock(desk))
        await connection.execute("select 1 from messages where id = $1 for update", UUID(answer["id"]))
    await sending
    assert await desk.status(answer) in ("failed", "unknown")


async def waiting_for_a_lock(desk: Desk) -> bool:
    count = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    return bool(await desk.value(count))


@pytest.mark.parametrize("error", [Rejected("no"), OutcomeUnknown("lost")])
async def test_sending_again_makes_one_new_message(desk: Desk, error: DeliveryError) -> None:
    chat = await desk.chat()
    who = type(error).__name__
    first = await chat.write(who)
    fails(chat, error)
    upload = (await desk.anna.post("/files", files={"file": ("a.txt", b"a", "text/plain")})).json()
    answer = await desk.answer(first["dialog_id"], "Again", attachment_ids=[upload["id"]])
    assert (await desk.anna.post(f"/messages/{answer['id']}/resend")).status_code == 409
    await desk.send()
    assert await waits(chat, who)
    repeats = await asyncio.gather(*(desk.anna.post(f"/messages/{answer['id']}/resend") for _ in range(3)))
    assert {repeat.status_code for repeat in repeats} == {201}
    assert len({repeat.json()["id"] for repeat in repeats}) == 1, "three clicks, one message"
    assert not await waits(chat, who)
    await desk.send()
    assert texts(chat) == ["Again", "Again"]
    assert len(chat.adapter.calls[1].files) == 1
    assert await desk.status(repeats[0].json()) == "sent"


async def test_a_client_key_makes_one_message(desk: Desk) -> None:
    chat = await desk.chat()
    first, second = await chat.write("key1"), await chat.write("key2")
    key = uuid4().hex
    dialogs = [first["dialog_id"]] * 8 + [second["dialog_id"]] * 2
    answers = await asyncio.gather(*(desk.post(id, client_key=key) for id in dialogs))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} == {201, 409}
    await desk.send()
    assert len(chat.adapter.calls) == 1
    other = await desk.post(first["dialog_id"], by=desk.world.admin, client_key=key)
    assert other.status_code == 201  # another's key is another key


async def test_an_answer_to_what_was_seen_is_refused_when_more_came(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("seen")
    second = await chat.write("seen", "And one more thing")
    answer = await desk.post(first["dialog_id"], seen_seq=first["seq"])
    assert (answer.status_code, answer.json()["code"]) == (409, "dialog_changed")
    assert len(await chat.messages("seen")) == 2
    await desk.answer(first["dialog_id"], seen_seq=second["seq"])


async def test_an_answer_goes_where_the_customer_last_wrote_or_where_the_agent_says(desk: Desk) -> None:
    one, two, robot = await desk.chat(), await desk.chat(), await desk.chat("email")
    everywhere = {"sender": Sender("everywhere", "paths")}
    first = await one.write("paths", chat="chat one", **everywhere)
    await two.write("paths", chat="chat two", **everywhere)
    await robot.write("paths", chat="away", automatic=True, **everywhere)
    await desk.answer(first["dialog_id"], "Last")
    await desk.answer(first["dialog_id"], "Chosen", channel_id=str(one.id))
    await desk.answer(first["dialog_id"], "Robot", channel_id=str(robot.id))
    await desk.send()
    assert [(call.text, call.chat) for call in two.adapter.calls] == [("Last", "chat two")]
    assert [(call.text, call.chat) for call in one.adapter.calls] == [("Chosen", "chat one")]
    assert [(call.text, call.chat) for call in robot.adapter.calls] == [("Robot", "away")]
    stranger = await one.write("stranger")
    wrong = await desk.post(first["dialog_id"], identity_id=str(stranger["identity_id"]))
    assert wrong.status_code == 400


async def test_notes_never_leave(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("note")
    note = await desk.answer(first["dialog_id"], "He is angry", direction="note")
    assert note["status"] is None
    await desk.send()
    assert chat.adapter.calls == []
    assert await waits(chat, "note")
    assert (await desk.anna.post(f"/messages/{note['id']}/resend")).status_code == 409
    assert (await desk.anna.post(f"/messages/{note['id']}/cancel")).status_code == 409


@pytest.mark.parametrize("kind", ["plain", "deduplicating"])
async def test_what_a_dead_sender_left_is_settled(desk: Desk, kind: str) -> None:
    chat = await desk.chat(kind)
    first = await chat.write(f"dead-{kind}")
    answer = await desk.answer(first["dialog_id"])
    assert await outbox._claim(desk.db, Lanes()) is not None
    async with desk.db.transaction() as session:
        assert await outbox.reap(session) == 0  # its sender may be at work
    await desk.db.raw.execute(
        "update messages set next_attempt_at = now() - interval '1 s' where status = 'sending'"
    )
    async with desk.db.transaction() as session:
        assert await outbox.reap(session) == 1
    assert await desk.status(answer) == ("unknown" if kind == "plain" else "queued")
    await desk.again()
    await desk.send()
    assert len(chat.adapter.calls) == (0 if kind == "plain" else 1)


async def test_stopping_in_the_middle_settles_what_is_on_its_way(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("stopped")
    answer = await desk.answer(first["dialog_id"])
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(message: OutgoingMessage) -> Sent:
        begun.set()
        await may_end.wait()
        return await chat.adapter.take(message)

    chat.adapter.answer = slowly
    sending = asyncio.create_task(desk.send())
    await begun.wait()
    sending.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await desk.status(answer) == "sent"


async def test_in_a_group_everybody_is_answered_in_the_topic_he_wrote_in(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("asks-one", chat="-100", meta={"topic": 7})
    await chat.write("asks-two", chat="-100", meta={"topic": 8})
    await desk.answer(first["dialog_id"])
    await desk.send()
    assert chat.adapter.calls[-1].meta["topic"] == 7
