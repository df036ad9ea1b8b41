"""What is of no more use is forgotten, what is needed stays, and no cursor is continued over a gap."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app import housekeeping
from app.agents import sessions
from app.core import facts
from app.core.clock import now
from app.core.facts import SYSTEM, Position, Resync
from app.core.files import new_key
from channels import inbound
from channels.base import RawEvent
from dialogs import housekeeping as dialogs
from tests.api.conftest import World
from tests.helpers import eventually
from tests.loops.conftest import working


async def keep_house(world: World, **settings: Any) -> None:
    state = world.app.state
    changed = state.settings.model_copy(update=settings)
    await housekeeping.turn(state.database, state.files, changed)


async def age(world: World, table: str, column: str, interval: str, where: str = "true") -> None:
    sql = f"update {table} set {column} = now() - interval '{interval}' where {where}"
    await world.database.raw.execute(sql)


async def ids(world: World, table: str) -> set[Any]:
    return {row["id"] for row in await world.database.raw.fetch(f"select id from {table}")}


async def upload(world: World) -> UUID:
    answer = await world.anna.post("/files", files={"file": ("a.txt", b"text", "text/plain")})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def key_of(world: World, id: UUID) -> str:
    key: str = await world.database.raw.fetchval("select file_key from attachments where id = $1", id)
    return key


async def test_unused_uploads_go_with_their_files(world: World) -> None:
    old, fresh = await upload(world), await upload(world)
    gone, kept = await key_of(world, old), await key_of(world, fresh)
    await age(world, "attachments", "created_at", "25 hours", f"id = '{old}'")
    await keep_house(world)
    assert await ids(world, "attachments") == {fresh}
    folder = world.app.state.settings.data_dir / "files"
    assert not (folder / gone).exists()
    assert (folder / kept).read_bytes() == b"text"


async def test_more_than_one_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogs, "BATCH", 2)
    for _ in range(5):
        await upload(world)
    await age(world, "attachments", "created_at", "25 hours")
    await store_raw(world, 5)
    await age(world, "inbound", "received_at", "91 days")
    await world.database.raw.execute("update inbound set state = 'done'")
    await keep_house(world)
    assert await ids(world, "attachments") == set()
    assert await ids(world, "inbound") == set()


async def test_expired_sessions_go(world: World) -> None:
    async with world.database.transaction() as session:
        await sessions.start(session, agent_id=world.anna.agent_id, user_agent="old", ttl=timedelta(days=1))
    before = await ids(world, "sessions")
    await age(world, "sessions", "expires_at", "1 second", "user_agent = 'old'")
    await keep_house(world)
    assert len(await ids(world, "sessions")) == len(before) - 1


async def test_used_links_go_after_a_month(world: World) -> None:
    customer = await customer_of(world)
    await world.database.raw.execute(
        "insert into link_tokens (token_hash, customer_id, channel_id, expires_at, used_at) values"
        " ('\\x01', $1, $2, now() + interval '1 day', null),"
        " ('\\x02', $1, $2, now() - interval '31 days', null),"
        " ('\\x03', $1, $2, now() + interval '1 day', now() - interval '31 days'),"
        " ('\\x04', $1, $2, now() - interval '29 days', null)",
        customer,
        world.chat,
    )
    await keep_house(world)
    rows = await world.database.raw.fetch("select token_hash from link_tokens order by 1")
    assert [row["token_hash"] for row in rows] == [b"\x01", b"\x04"]


async def customer_of(world: World) -> UUID:
    """Somebody who wrote."""
    body = {"event_id": uuid4().hex, "sender": {"external_id": uuid4().hex}, "text": "Hello"}
    await world.admin.post(f"/channels/{world.chat}/inbound", json=body)
    query = "select customer_id from identities where external_id = $1"
    found: UUID = await eventually(
        lambda: world.database.raw.fetchval(query, body["sender"]["external_id"])  # type: ignore[index]
    )
    return found


async def test_customers_without_anything_go(world: World) -> None:
    known = await customer_of(world)
    insert = "insert into customers (name, avatar_key) values ('orphan', $1) returning id"
    key = new_key("avatar")
    await world.app.state.files.put(key, b"picture")
    orphan = await world.database.raw.fetchval(insert, key)
    fresh = await world.database.raw.fetchval(insert, None)
    await age(world, "customers", "created_at", "61 minutes", f"id in ('{known}', '{orphan}')")
    await keep_house(world)
    assert await ids(world, "customers") == {known, fresh}
    assert not (world.app.state.settings.data_dir / "files" / key).exists()


async def store_raw(world: World, count: int) -> list[int]:
    """Events that nobody has understood yet."""
    await world.database.raw.execute("update channels set kind = 'telegram' where id = $1", world.chat)
    events = [RawEvent(key=uuid4().hex, payload=b"{}") for _ in range(count)]
    async with world.database.transaction() as session:
        return await inbound.store(session, world.chat, events)


async def test_raw_events_go_when_nobody_needs_them(world: World) -> None:
    customer = await customer_of(world)
    old = await store_raw(world, 5)
    for id, state in zip(old, ("done", "ignored", "quarantined", "new", "done"), strict=True):
        await world.database.raw.execute("update inbound set state = $2 where id = $1", id, state)
    message = "update messages set inbound_id = $1 where customer_id = $2 returning id"
    mail = await world.database.raw.fetchval(message, old[4], customer)
    file = "insert into attachments (message_id, kind, state) values ($1, 'document', 'pending')"
    await world.database.raw.execute(file, mail)
    await age(world, "inbound", "received_at", "91 days", f"id >= {old[0]}")
    (replayed,) = await store_raw(world, 1)
    await age(world, "inbound", "received_at", "91 days", f"id = {replayed}")
    await age(world, "inbound", "done_at", "1 day", f"id = {replayed}")
    (fresh,) = await store_raw(world, 1)
    await world.database.raw.execute("update inbound set state = 'done' where id >= $1", replayed)
    await keep_house(world)
    left = {id for id in await ids(world, "inbound") if id >= old[0]}
    assert left == {old[2], old[3], old[4], replayed, fresh}
    await world.database.raw.execute("update attachments set state = 'stored'")
    await keep_house(world)
    assert old[4] not in await ids(world, "inbound")


async def test_a_started_worker_keeps_house(world: World) -> None:
    await world.database.raw.execute(
        "insert into idempotent_answers (agent_id, key, request_hash, created_at) "
        "values (uuidv7(), 'k', '', now() - interval '2 days')"
    )
    async with working(world.database, world.app.state.settings):
        query = "select count(*) = 0 from idempotent_answers"
        await eventually(lambda: world.database.raw.fetchval(query))


# --- the log --------------------------------------------------------------------------------


async def record(world: World, count: int) -> None:
    for _ in range(count):
        async with world.database.transaction() as session:
            await facts.record(session, "test.happened", actor=SYSTEM)


async def all_facts(world: World) -> list[facts.Row]:
    return await facts.read(world.database.raw, Position(0, 0), limit=10_000)


async def test_the_beginning_of_the_log_is_forgotten_and_old_cursors_end(world: World) -> None:
    await record(world, 6)
    rows = await eventually_all(world)
    await age(world, "facts", "at", "401 days", f"id <= {rows[-3].position.id}")
    await keep_house(world)
    assert [row.position for row in await all_facts(world)] == [row.position for row in rows[-2:]]

    epoch = world.app.state.feed.epoch

    async def answer(position: Position) -> Any:
        cursor = facts.encode(position, epoch=epoch)
        return await world.admin.get("/events", params={"after": cursor})

    last_forgotten, too_old = rows[-3].position, rows[-4].position
    assert (await answer(last_forgotten)).status_code == 200
    refused = await answer(too_old)
    assert (refused.status_code, refused.json()["code"]) == (409, "resync")
    feed = world.app.state.feed
    await eventually(lambda: feed.position >= rows[-1].position)
    with pytest.raises(Resync):
        [frame async for frame in feed.missed(frozenset(), too_old)]
    assert [frame async for frame in feed.missed(frozenset(), last_forgotten)] == []


async def eventually_all(world: World) -> list[facts.Row]:
    """The log, once nothing before its end is still being written anywhere."""
    total = await world.database.raw.fetchval("select count(*) from facts")

    async def read() -> list[facts.Row] | None:
        rows = await all_facts(world)
        return rows if len(rows) == total else None

    return await eventually(read)  # type: ignore[return-value, arg-type]


async def test_nothing_is_forgotten_behind_a_younger_fact(world: World) -> None:
    """The log goes in order: what is kept is its end, without holes."""
    await record(world, 3)
    rows = await eventually_all(world)
    await age(world, "facts", "at", "401 days", f"id = {rows[-1].position.id}")
    await keep_house(world)
    assert len(await all_facts(world)) == len(rows)
    await facts.need_kept(world.database.raw, Position(0, 0))


async def test_the_floor_never_sinks(world: World) -> None:
    await record(world, 2)
    rows = await eventually_all(world)
    await age(world, "facts", "at", "401 days")
    async with world.database.transaction() as session:
        assert await facts.forget(session, before=now(), limit=len(rows)) == len(rows)
    with pytest.raises(Resync):
        await facts.need_kept(world.database.raw, rows[-2].position)
    await facts.need_kept(world.database.raw, rows[-1].position)
