"""Whole months are forgotten with what belongs to them; what repeats is known whatever month it lies in."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core import facts, partitions
from app.core.clock import now
from app.core.facts import Position, Resync
from app.core.files import new_key
from app.core.partitions import later, month
from channels import inbound
from channels.base import RawEvent
from tests.api.conftest import World
from tests.helpers import eventually
from tests.loops.test_housekeeping import keep_house, record


@pytest.fixture
async def aged(world: World) -> World:
    """A desk that has months behind it."""
    await partitions.make(world.database, now=now(), since=now() - timedelta(days=500))
    return world


async def parts(world: World, table: str) -> set[str]:
    query = "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::text::regclass"
    return {row["name"] for row in await world.database.raw.fetch(query, table)}


async def write(world: World, event_id: str, **values: Any) -> int:
    body = {"event_id": event_id, "sender": {"external_id": "7", "name": "Olga"}, "text": "Hello"} | values
    answer = await world.admin.post(f"/channels/{world.chat}/inbound", json=body)
    return answer.status_code


async def message(world: World, text: str = "Hello") -> Any:
    return await eventually(
        lambda: world.database.raw.fetchrow("select * from messages where text = $1", text)
    )


_AGE = """
with moved as (select id as before, uuidv7($2::interval) as after from messages where text = $1),
k as (update message_keys set message_id = after from moved where message_id = before),
c as (update client_keys set message_id = after from moved where message_id = before),
a as (update attachments set message_id = after from moved where message_id = before),
v as (update message_versions set message_id = after from moved where message_id = before),
l as (update task_messages set message_id = after from moved where message_id = before),
n as (update message_aliases set message_id = after from moved where message_id = before)
update messages m set id = after, created_at = now() + $2 from moved where m.id = before returning m.id
"""


async def age(world: World, text: str, days: int) -> UUID:
    """Let a message be so many days old, with all that belongs to it."""
    id: UUID = await world.database.raw.fetchval(_AGE, text, timedelta(days=-days))
    return id


async def test_a_repeat_is_known_over_months(aged: World) -> None:
    assert await write(aged, "e1") == 202
    first = await message(aged)
    id = await age(aged, "Hello", 70)
    await aged.database.raw.execute(
        "update inbound set received_at = now() - interval '70 days', state = 'done'"
    )
    assert await write(aged, "e1") == 202
    assert await aged.database.raw.fetchval("select count(*) from inbound") == 1
    # The same message by another raw event, as when a mailbox is read anew.
    payload = await aged.database.raw.fetchval("select payload from inbound")
    async with aged.database.transaction() as session:
        await inbound.store(session, UUID(str(aged.chat)), [RawEvent(key="e2", payload=payload, lane="7")])
    assert await write(aged, "e3", text="Later") == 202
    await message(aged, "Later")
    await eventually(
        lambda: aged.database.raw.fetchval("select count(*) = 0 from inbound where state = 'new'")
    )
    rows = await aged.database.raw.fetch("select id from messages where text = 'Hello'")
    assert [row["id"] for row in rows] == [id] != [first["id"]]


async def answer(world: World, dialog_id: UUID, key: str, **values: Any) -> Any:
    body = {"client_key": key, "text": "Answer", "direction": "note"} | values
    done = await world.anna.post(f"/dialogs/{dialog_id}/messages", json=body)
    assert done.status_code in (200, 201), done.text
    return done.json()


async def test_a_repeated_client_key_gives_the_same_message_over_months(aged: World) -> None:
    await write(aged, "e1")
    dialog = (await message(aged))["dialog_id"]
    await answer(aged, dialog, "some-key")
    id = await age(aged, "Answer", 70)
    assert (await answer(aged, dialog, "some-key"))["id"] == str(id)
    assert await aged.database.raw.fetchval("select count(*) from messages where text = 'Answer'") == 1


async def test_a_month_of_messages_goes_with_all_that_belongs_to_it(aged: World) -> None:
    raw = aged.database.raw
    await write(aged, "e1", text="Old")
    old = await message(aged, "Old")
    await write(aged, "e2", text="Young")
    young = await message(aged, "Young")
    key = new_key("a.txt")
    await aged.app.state.files.put(key, b"text")
    file = "insert into attachments (message_id, kind, state, file_key) values ($1, 'document', 'stored', $2)"
    await raw.execute(file, old["id"], key)
    await raw.execute("insert into message_versions (message_id, text) values ($1, 'Odl')", old["id"])
    await answer(aged, old["dialog_id"], "some-key", text="Old answer")
    await age(aged, "Old", 70)
    await age(aged, "Old answer", 70)
    partition = f"messages_{month(now() - timedelta(days=70)):%Y_%m}"
    await keep_house(aged)
    assert partition in await parts(aged, "messages"), "by default all messages are kept"
    await keep_house(aged, keep_messages_months=1)
    left = {row["text"] for row in await raw.fetch("select text from messages")}
    assert left == {"Young"}
    months = await parts(aged, "messages")
    assert partition not in months
    assert {f"messages_{later(month(now()), n):%Y_%m}" for n in range(-1, 4)} < months
    assert not (aged.app.state.settings.data_dir / "files" / key).exists()
    for table, count in (
        ("attachments", 0),
        ("message_versions", 0),
        ("message_keys", 1),
        ("client_keys", 0),
    ):
        assert await raw.fetchval(f"select count(*) from {table}") == count, table
    thread = (await aged.anna.get(f"/customers/{young['customer_id']}/messages")).json()
    assert [item["text"] for item in thread["items"]] == ["Young"]


async def test_a_month_with_something_to_send_stays(aged: World) -> None:
    await write(aged, "e1")
    await message(aged)
    await age(aged, "Hello", 70)
    await aged.database.raw.execute(
        "update messages set direction = 'out', status = 'queued', send_after = now() + interval '1 day'"
    )
    await keep_house(aged, keep_messages_months=1)
    assert await aged.database.raw.fetchval("select count(*) from messages") == 1


async def test_of_a_month_of_raw_events_stays_what_is_still_wanted(aged: World) -> None:
    raw = aged.database.raw
    await raw.execute("update channels set kind = 'telegram' where id = $1", aged.chat)
    async with aged.database.transaction() as session:
        events = [RawEvent(key=uuid4().hex, payload=b"{}") for _ in range(4)]
        ids = await inbound.store(session, aged.chat, events)
    for id, state in zip(ids, ("done", "ignored", "quarantined", "new"), strict=True):
        await raw.execute("update inbound set state = $2 where id = $1", id, state)
    await raw.execute("update inbound set received_at = now() - interval '150 days'")
    await raw.execute("update inbound_keys set received_at = now() - interval '150 days'")
    partition = f"inbound_{month(now() - timedelta(days=150)):%Y_%m}"
    assert await raw.fetchval(f"select count(*) from {partition}") == 4
    await asyncio.gather(keep_house(aged), keep_house(aged))
    await keep_house(aged)
    assert partition not in await parts(aged, "inbound")
    rows = await raw.fetch("select id, tableoid::regclass::text as lies_in from inbound order by id")
    assert [tuple(row) for row in rows] == [(ids[2], "inbound_default"), (ids[3], "inbound_default")]
    assert await raw.fetchval("select count(*) from inbound_keys") == 0
    replayed = await aged.admin.post(f"/inbound/{ids[2]}/replay")
    assert replayed.status_code == 200, replayed.text


async def test_a_month_of_the_log_goes_and_old_cursors_end(aged: World) -> None:
    await record(aged, 4)
    rows = await facts.read(aged.database.raw, Position(0, 0), limit=1000)
    last = rows[-2].position
    await aged.database.raw.execute(
        "update facts set at = now() - interval '450 days' where (xid, id) <= ($1::text::xid8, $2::bigint)",
        str(last.xid),
        last.id,
    )
    await asyncio.gather(*(keep_house(aged) for _ in range(2)))
    assert f"facts_{month(now() - timedelta(days=450)):%Y_%m}" not in await parts(aged, "facts")
    left = await facts.read(aged.database.raw, Position(0, 0), limit=1000)
    assert left[0].position == rows[-1].position
    with pytest.raises(Resync):
        await facts.need_kept(aged.database.raw, rows[-3].position)
    await facts.need_kept(aged.database.raw, last)


async def test_a_month_in_use_is_left_for_another_time(aged: World) -> None:
    partition = f"facts_{month(now() - timedelta(days=450)):%Y_%m}"
    async with aged.database.raw.acquire() as reader, reader.transaction():
        await reader.fetchval(f"select count(*) from {partition}")
        await keep_house(aged)
        assert partition in await parts(aged, "facts")
    await keep_house(aged)
    assert partition not in await parts(aged, "facts")
