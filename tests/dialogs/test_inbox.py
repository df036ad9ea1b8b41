"""From raw events to the thread: order, poison, quarantine, replay, edits, receipts, echoes."""

import asyncio
import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from channels import inbound
from channels.base import Echo, Edited, File, Reachability, Receipt, Sender, Typing
from dialogs import inbound_claims, inbound_events, inbox, store
from tests.dialogs.desk import Chat, Desk
from tests.dialogs.fake import message, payload

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def raw(desk: Desk, id: int) -> dict[str, Any]:
    return await desk.row("select state, error, attempts from inbound where id = $1", id)


async def test_a_lane_keeps_its_order_under_parallel_loops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await desk.chat()
    store_many, chance = store.store_many, random.Random(3)

    async def sometimes_slow(connection: Any, incoming: Any) -> list[store.Stored]:
        await asyncio.sleep(chance.choice([0, 0, 0.01]))
        return await store_many(connection, incoming)

    monkeypatch.setattr(store, "store_many", sometimes_slow)
    monkeypatch.setattr(inbox, "BATCH", 3)
    for number in range(12):
        for lane in "abc":
            await chat.store(message(lane, str(number), external_id=str(number)), lane=lane)
    await desk.understand(loops=4)
    for lane in "abc":
        assert [row["text"] for row in await chat.messages(lane)] == [str(number) for number in range(12)]


@pytest.mark.parametrize("poison", [b"bad", b"bug", b"\xff{not json", b"[{}]"])
async def test_poison_is_quarantined_and_blocks_nothing(desk: Desk, poison: bytes) -> None:
    chat = await desk.chat()
    (bad,) = await chat.store(raw=poison, lane="a")
    await chat.store(message("a", "After"), lane="a")
    await chat.store(message("b", "Beside"), lane="b")
    await desk.understand()
    found = await raw(desk, bad)
    assert (found["state"], found["attempts"]) == ("quarantined", 1)
    assert found["error"]
    assert [row["text"] for row in await chat.messages("a")] == ["After"]
    assert [row["text"] for row in await chat.messages("b")] == ["Beside"]
    assert [fact.data for fact in await desk.facts() if fact.type == "inbound.quarantined"] == [
        {"inbound_id": bad}
    ]


async def test_our_own_mistake_is_quarantined_whole_and_can_be_replayed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await desk.chat()
    apply = inbound_events.apply
    turns = 0

    async def buggy(session: Any, event: Any, **values: Any) -> bool:
        nonlocal turns
        done = await apply(session, event, **values)
        turns += 1
        if turns == 2:
            raise KeyError("a mistake")
        return done

    monkeypatch.setattr(inbound_events, "apply", buggy)
    (id,) = await chat.store(message("lev", "One", external_id="1"), message("lev", "Two", external_id="2"))
    await chat.store(message("after"))
    await desk.understand()
    assert (await raw(desk, id))["state"] == "quarantined"
    assert await chat.messages("lev") == []  # not half of it
    assert len(await chat.messages("after")) == 1
    answer = await desk.world.admin.post(f"/inbound/{id}/replay")
    assert answer.status_code == 200, answer.text
    await desk.understand()
    assert [row["text"] for row in await chat.messages("lev")] == ["One", "Two"]
    assert (await desk.world.admin.post(f"/inbound/{id}/replay")).status_code == 409
    await desk.understand()
    assert len(await chat.messages("lev")) == 2


async def test_what_the_database_refuses_is_postponed_then_quarantined(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await desk.chat()
    store_many = store.store_many

    async def refused(connection: Any, incoming: Any) -> list[store.Stored]:
        if any(one.message.text == "Refused" for one in incoming):
            await connection.execute("select 1/0")
        return await store_many(connection, incoming)

    monkeypatch.setattr(store, "store_many", refused)
    monkeypatch.setattr(inbound_claims, "pause", lambda attempts: timedelta(minutes=attempts + 1))
    (id,) = await chat.store(message("a", "Refused"), lane="a")
    await chat.store(message("a", "After"), lane="a")
    await chat.store(message("b", "Beside"), lane="b")
    for attempt in range(1, 6):
        await desk.understand(loops=2)
        found = await raw(desk, id)
        assert found["attempts"] == attempt
        assert found["state"] == ("new" if attempt < 5 else "quarantined")
        assert len(await chat.messages("b")) == 1
        if attempt < 5:
            assert await chat.messages("a") == []  # its lane waits: order
        await desk.again()
    await desk.understand()
    assert [row["text"] for row in await chat.messages("a")] == ["After"]


async def test_a_broken_connection_costs_an_event_no_attempt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await desk.chat()
    store_many = store.store_many
    broken = 0

    async def breaks(connection: Any, incoming: Any) -> list[store.Stored]:
        nonlocal broken
        if broken < 8:
            broken += 1
            pid = await connection.fetchval("select pg_backend_pid()")
            await desk.db.raw.execute("select pg_terminate_backend($1)", pid)
        return await store_many(connection, incoming)

    monkeypatch.setattr(store, "store_many", breaks)
    (id,) = await chat.store(message("ira"))
    for _ in range(8):
        with pytest.raises((DBAPIError, OSError, Exception)):
            await desk.understand()
        assert (await raw(desk, id))["state"] == "new"
    await desk.understand()
    assert (await raw(desk, id))["attempts"] == 1
    assert len(await chat.messages("ira")) == 1


async def test_an_edit_keeps_what_was_said_before(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("tanya", "Teh parcel")
    for text in ("The parcel", "The parcel", "The parcel\x00!"):
        await chat.hear(Edited("tanya", first["external_id"], text))
    (row,) = await chat.messages("tanya")
    assert row["text"] == "The parcel!"
    assert row["edited_at"] is not None
    versions = await desk.rows(
        "select text from message_versions where message_id = $1 order by id", first["id"]
    )
    assert [version["text"] for version in versions] == ["Teh parcel", "The parcel"]
    (dialog,) = await chat.dialogs("tanya")
    assert dialog["preview"] == "The parcel!"
    assert dialog["inbound_count"] == 1
    await chat.hear(Edited("tanya", "no such", "x"))
    assert len(await chat.messages("tanya")) == 1


async def sent(chat: Chat, who: str, *texts: str) -> list[Any]:
    """Answers to `who` that have left."""
    first = await chat.write(who)
    posted = [await chat.desk.answer(first["dialog_id"], text) for text in texts]
    await chat.desk.send()
    return posted


async def test_receipts_never_go_backwards(desk: Desk) -> None:
    chat = await desk.chat()
    (answer,) = await sent(chat, "gleb", "Yes")
    id = await desk.value("select external_id from messages where id = $1", UUID(answer["id"]))
    for given, status in [
        ("delivered", "delivered"),
        ("read", "read"),
        ("delivered", "read"),
        ("failed", "read"),
        ("read", "read"),
    ]:
        await chat.hear(Receipt("gleb", given, external_id=id))  # type: ignore[arg-type]
        assert await desk.status(answer) == status
    told = [fact.data["status"] for fact in await desk.facts() if fact.type == "message.status"]
    assert told == ["sending", "sent", "delivered", "read"]


async def test_read_up_to_reads_what_is_not_above_it_in_this_chat(desk: Desk) -> None:
    chat = await desk.chat()
    chat.adapter.answer = numbered(chat)
    mine = await sent(chat, "one", "a", "b", "c")
    other = await sent(chat, "two", "d")
    await chat.hear(Receipt("one", "read", up_to="102"))
    assert [await desk.status(answer) for answer in mine] == ["read", "read", "sent"]
    assert await desk.status(other[0]) == "sent"
    await chat.hear(Receipt("one", "read", up_to="no number"))
    assert await desk.status(mine[2]) == "sent"


def numbered(chat: Chat) -> Any:
    """The platform counts messages from 101."""
    from channels.base import OutgoingMessage, Sent

    async def answer(message: OutgoingMessage) -> Sent:
        return Sent([str(100 + len(chat.adapter.calls))])

    return answer


async def test_a_failed_receipt_makes_the_customer_wait_again(desk: Desk) -> None:
    chat = await desk.chat()
    (answer,) = await sent(chat, "bounce", "Yes")
    (dialog,) = await chat.dialogs("bounce")
    assert dialog["waiting_since"] is None
    id = await desk.value("select external_id from messages where id = $1", UUID(answer["id"]))
    await chat.hear(Receipt("bounce", "failed", external_id=id, reason="No such\x00 mailbox"))
    assert await desk.status(answer) == "failed"
    (dialog,) = await chat.dialogs("bounce")
    assert dialog["waiting_since"] is not None


async def make_unknown(desk: Desk, answer: Any, *, status: str = "unknown") -> None:
    await desk.db.raw.execute(
        "update messages set status = $2, external_id = null, sent_at = null where id = $1",
        UUID(answer["id"]),
        status,
    )


@pytest.mark.parametrize("by", ["key", "text"])
async def test_the_echo_of_our_message_settles_what_was_unknown(desk: Desk, by: str) -> None:
    chat = await desk.chat()
    (answer,) = await sent(chat, f"echo-{by}", "Our text")
    await make_unknown(desk, answer)
    told = {"key": str(answer["seq"]), "text": "Our  text, reworded"} if by == "key" else {"text": "Our text"}
    for _ in range(2):
        await chat.hear(Echo(f"echo-{by}", "e1", recipient=Sender("", f"echo-{by}"), **told))
    assert await desk.status(answer) == "sent"
    assert len(await chat.messages(f"echo-{by}")) == 2


async def test_the_echo_of_each_part_is_ours(desk: Desk) -> None:
    from channels.base import OutgoingMessage, Sent

    chat = await desk.chat()
    first = await chat.write("parts")
    answer = await desk.answer(first["dialog_id"], "A long text")

    async def in_parts(message: OutgoingMessage) -> Sent:
        for part in ("e1", "e2"):  # both echoes are understood before the call returns
            await chat.hear(Echo("parts", part, text=part, key=message.key, recipient=Sender("", "parts")))
        return Sent(["e1", "e2"])

    chat.adapter.answer = in_parts
    await desk.send()
    assert await desk.status(answer) == "sent"
    await chat.hear(Echo("parts", "e2", text="e2", recipient=Sender("", "parts")))  # late, without its key
    assert [row["direction"] for row in await chat.messages("parts")] == ["in", "out"]


async def test_an_echo_that_is_known_is_not_taken_for_another_of_the_same_text(desk: Desk) -> None:
    chat = await desk.chat()
    old, new = await sent(chat, "twice", "OK", "OK")
    old_id = await desk.value("select external_id from messages where id = $1", UUID(old["id"]))
    await make_unknown(desk, new)
    (id,) = await chat.store(Echo("twice", old_id, text="OK", recipient=Sender("", "twice")))
    await desk.understand()
    assert (await raw(desk, id))["state"] == "done"
    assert await desk.status(new) == "unknown"


async def test_who_types_is_whispered_of_and_not_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in a while for each, to who sees the dialog; a stranger and a closed dialog mean nothing."""
    chat = await desk.chat()
    written = await chat.write("typist")
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(desk.db.bell, "whisper", lambda text: heard.append(json.loads(text)))
    typing = Typing("typist", Sender("", "typist"))
    await chat.hear(typing, typing, Typing("nobody", Sender("", "nobody")))
    [whisper] = heard
    assert whisper["say"] == {
        "lane": "typing", "dialog_id": str(written["dialog_id"]), "customer": True, "note": False,
    }  # fmt: skip
    assert whisper["keys"] == ["admin", f"channel:{chat.id}"]
    assert len(await chat.messages("typist")) == 1


async def test_what_was_written_elsewhere_appears_as_an_answer(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.write("elsewhere")
    picture = File("image", {"id": 7}, mime="image/png")
    told = {"text": "From the phone", "files": [picture], "author": "Maria"}
    echo = Echo("elsewhere", "x9", recipient=Sender("", "elsewhere"), **told)
    await chat.hear(echo, echo)
    _, row = await chat.messages("elsewhere")
    assert (row["direction"], row["status"], row["text"]) == ("out", "sent", "From the phone")
    assert json.loads(row["meta"]) == {"elsewhere": True, "author": "Maria"}
    kinds = "select string_agg(kind || mime, ',') from attachments where message_id = $1"
    assert await desk.value(kinds, row["id"]) == "imageimage/png"
    (dialog,) = await chat.dialogs("elsewhere")
    assert dialog["waiting_since"] is None
    await desk.send()
    assert chat.adapter.calls == []


async def test_who_blocked_us_and_writes_again_is_reachable_and_everybody_hears_it(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("block")
    await chat.hear(Reachability(Sender("", "block"), reachable=False))
    answer = await desk.post(first["dialog_id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "identity_unreachable")
    await chat.write("block")
    told = [fact.data["reachable"] for fact in await desk.facts() if fact.type == "identity.reachability"]
    assert told == [False, True]
    await desk.answer(first["dialog_id"])


async def test_a_file_name_is_any_text_and_a_bad_reference_poisons_nothing(desk: Desk) -> None:
    chat = await desk.chat()
    name = "na\x00me \ud800 \\u0000.pdf"
    await chat.write("files", files=[File("document", {"id": name}, name=name)])
    (id,) = await chat.store(
        message("files", "Bad", external_id="b", files=[File("image", {"upload": "no uuid"})])
    )
    await chat.write("files", "After")
    rows = await chat.messages("files")
    assert [row["text"] for row in rows] == ["Hello", "Bad", "After"]
    assert (await raw(desk, id))["state"] == "done"
    states = await desk.rows(
        "select state from attachments where message_id = any($1) order by created_at",
        [row["id"] for row in rows],
    )
    assert [row["state"] for row in states] == ["pending", "unavailable"]


async def test_many_transports_storing_the_same_events_store_them_once(desk: Desk) -> None:
    chat = await desk.chat()
    events = [inbound.RawEvent(f"e{number}", payload(message("x", str(number)))) for number in range(20)]

    async def store() -> int:
        async with desk.db.transaction() as session:
            return len(await inbound.store(session, chat.id, events))

    assert sum(await asyncio.gather(*(store() for _ in range(8)))) == 20


async def _raws(desk: Desk, ids: list[int]) -> list[inbound.Raw]:
    sql = "select id, channel_id, lane, payload, attempts from inbound where id = any($1) order by id"
    return [inbound.Raw(*row.values()) for row in await desk.rows(sql, ids)]


async def _at_once(desk: Desk, raws: list[inbound.Raw]) -> bool:
    async with desk.db.raw.acquire() as connection:
        return await inbox.at_once(
            desk.db, connection, raws, gateway=desk.gateway, settings=desk.world.app.state.settings
        )


async def test_at_once_keeps_the_order_of_a_lane(desk: Desk) -> None:
    chat = await desk.chat()
    ids = [(await chat.store(message("zoe", str(n), external_id=str(n)), lane="z"))[0] for n in range(3)]
    first, second, third = await _raws(desk, ids)
    assert not await _at_once(desk, [second])  # another process has the first
    assert await chat.messages("zoe") == []
    assert await _at_once(desk, [first, second])
    assert not await _at_once(desk, [first])  # done by another in between: not again
    assert await _at_once(desk, [third])
    assert [row["text"] for row in await chat.messages("zoe")] == ["0", "1", "2"]


async def test_at_once_and_the_loops_store_each_message_once(desk: Desk) -> None:
    chat = await desk.chat()
    ids = [
        (await chat.store(message(f"p{n % 7}", str(n), external_id=str(n)), lane=f"p{n % 7}"))[0]
        for n in range(60)
    ]
    raws = await _raws(desk, ids)
    await asyncio.gather(desk.understand(loops=2), *(_at_once(desk, [raw]) for raw in raws))
    await desk.understand()
    for person in range(7):
        texts = [int(row["text"]) for row in await chat.messages(f"p{person}")]
        assert texts == list(range(person, 60, 7))


async def test_at_once_leaves_to_the_loops_what_is_no_plain_message(desk: Desk) -> None:
    chat = await desk.chat()
    told = message("una", "Hello", external_id="1")
    ids = await chat.store(told, lane="u")
    ids += await chat.store(Edited(chat=told.chat, external_id="1", text="Hello!"), lane="u")
    ids += await chat.store(message("una", "After", external_id="2"), lane="u")
    ids += await chat.store(raw=b"bad", lane="v")
    assert not await _at_once(desk, await _raws(desk, ids))
    await desk.understand()
    assert [row["text"] for row in await chat.messages("una")] == ["Hello!", "After"]
    assert (await raw(desk, ids[-1]))["state"] == "quarantined"


async def test_a_phone_that_the_platform_vouches_for_is_learnt_once(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("caller")
    for phone in ("+79161234567", "+79990000000"):
        await chat.write("caller", sender=Sender("", "caller", name="Caller", phone=phone))
    phone = await desk.value("select phone from customers where id = $1", first["customer_id"])
    assert phone == "+79161234567"
    changes = [fact.data for fact in await desk.facts() if fact.type == "customer.changed"]
    assert {"fields": ["phone"]} in changes
