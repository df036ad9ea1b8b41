"""Raw events: webhooks and posts are stored before they are answered; bad ones are replayed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from app.core import kept
from app.web import webhooks
from channels import cursors, inbound
from channels.base import RawEvent
from channels.errors import Fenced
from channels.models import Channel
from tests.api.conftest import Client, World, channel_of

EVENT = {"event_id": "e-1", "chat": "order-1", "sender": {"external_id": "42", "name": "Ann"}, "text": "Hi"}


async def quarantine(world: World, *payloads: bytes) -> list[int]:
    events = [RawEvent(key=str(uuid4()), payload=payload) for payload in payloads]
    async with world.database.transaction() as session:
        ids = await inbound.store(session, world.chat, events)
    await world.database.raw.execute(
        "update inbound set state = 'quarantined', error = 'Not understood.' where id = any($1)",
        ids,
    )
    return ids


# --- posting to an API channel ---------------------------------------------------------------


async def test_post_stores_once(world: World) -> None:
    source = await world.program(world.admin.agent_id, "inbound")
    first = await source.post(f"/channels/{world.chat}/inbound", json=EVENT)
    assert first.status_code == 202, first.text
    again = await source.post(f"/channels/{world.chat}/inbound", json=EVENT)
    assert first.json() == {"event_id": again.json()["event_id"], "duplicate": False}
    assert again.json()["duplicate"] is True
    row = await world.database.raw.fetchrow("select key, lane, count(*) over () from inbound")
    assert tuple(row) == ("e-1", "order-1", 1)


async def test_twenty_posts_at_once_store_one(world: World) -> None:
    source = await world.program(world.admin.agent_id, "inbound")
    answers = await asyncio.gather(
        *(source.post(f"/channels/{world.chat}/inbound", json=EVENT) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert sum(not answer.json()["duplicate"] for answer in answers) == 1


async def test_who_may_post(world: World, stranger: Client) -> None:
    path = f"/channels/{world.chat}/inbound"
    writer = await world.program(world.admin.agent_id, "read", "write", "admin")
    assert (await writer.post(path, json=EVENT)).status_code == 403
    assert (await world.anna.post(path, json=EVENT)).status_code == 403
    assert (await world.admin.post(path, json=EVENT)).status_code == 202
    assert (await stranger.post(path, json=EVENT)).status_code == 401


async def test_posts_to_other_kinds_and_bad_posts_are_refused(world: World) -> None:
    source = await world.program(world.admin.agent_id, "inbound")
    site = await world.add_channel("Site", team_ids=(), kind="webchat")
    assert (await source.post(f"/channels/{site}/inbound", json=EVENT)).json()["code"] == "invalid"
    assert (await source.post(f"/channels/{uuid4()}/inbound", json=EVENT)).status_code == 404
    bad = await source.post(f"/channels/{world.chat}/inbound", json=EVENT | {"sender": {}})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "sender.external_id")
    assert await world.database.raw.fetchval("select count(*) from inbound") == 0


# --- storing ---------------------------------------------------------------------------------


async def test_store_keeps_order_and_drops_repeats(world: World) -> None:
    events = [RawEvent(key=str(n), payload=bytes([n]), lane="a") for n in range(5)]
    async with world.database.transaction() as session:
        ids = await inbound.store(session, world.chat, [*events, events[0]])
        assert len(ids) == 5
        assert await inbound.store(session, world.chat, events) == []
    rows = await world.database.raw.fetch("select payload from inbound order by id")
    assert [row["payload"] for row in rows] == [event.payload for event in events]


async def test_store_takes_any_key(world: World) -> None:
    keys = ["a\x00b", "\ud800", "x" * 10_000, "x" * 10_001]
    events = [RawEvent(key=key, payload=b"\x00\xff", lane=key) for key in keys]
    async with world.database.transaction() as session:
        assert len(await inbound.store(session, world.chat, events)) == 4
    async with world.database.transaction() as session:
        assert await inbound.store(session, world.chat, events) == []
        assert await inbound.find(session, channel_id=world.chat, key=keys[3]) is not None


# --- webhooks --------------------------------------------------------------------------------

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


async def add_telegram(world: World, *, state: str = "active") -> tuple[Channel, str]:
    """A Telegram channel that takes webhooks, without a platform behind it."""
    from channels import drafts

    async with world.database.transaction() as session:
        draft = await drafts.draft(
            uuid4(), kind="telegram", name="Bot", settings={"token": TOKEN, "transport": "webhook"}
        )
        channel = Channel(
            id=draft.id,
            kind="telegram",
            name="Bot",
            external_id="123456789",
            state=state,
            settings=draft.public(),
            secrets=world.app.state.box.seal(draft.secrets()),
            webhook_key=draft.webhook_key,
        )
        session.add(channel)
    return channel, draft.webhook_secret


def update(number: int) -> dict[str, object]:
    chat = {"id": 7, "type": "private", "first_name": "Ann"}
    person = {"id": 7, "is_bot": False, "first_name": "Ann"}
    message = {"message_id": number, "date": 1760000000, "chat": chat, "from": person, "text": "Hi"}
    return {"update_id": number, "message": message}


@pytest.mark.parametrize("state", ["active", "paused", "stopped"])
async def test_webhook_stores_before_it_answers(world: World, stranger: Client, state: str) -> None:
    channel, secret = await add_telegram(world, state=state)
    woken: list[int] = []
    world.app.state.inbox_take = lambda *_: woken.append(1)
    path, headers = f"/hooks/{channel.webhook_key}", {"X-Telegram-Bot-Api-Secret-Token": secret}
    for _ in range(2):
        answer = await stranger.post(path, json=update(5), headers=headers)
        assert answer.status_code == 200, answer.text
    rows = await world.database.raw.fetch("select channel_id, key from inbound")
    assert [(row["channel_id"], row["key"]) for row in rows] == [(channel.id, "5")]
    assert woken
    seen = (await channel_of(world, channel.id)).seen_at
    assert (seen is not None) == (state == "active")


async def test_webhook_refuses_strangers(world: World, stranger: Client) -> None:
    channel, secret = await add_telegram(world)
    path = f"/hooks/{channel.webhook_key}"
    wrong = await stranger.post(path, json=update(5), headers={"X-Telegram-Bot-Api-Secret-Token": "x"})
    missing = await stranger.post(path, json=update(5))
    assert (wrong.status_code, missing.status_code) == (403, 403)
    broken = await stranger.post(path, content=b"{", headers={"X-Telegram-Bot-Api-Secret-Token": secret})
    assert broken.status_code == 400
    unknown = await stranger.post("/hooks/unknown", json=update(5))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    large = await stranger.post(path, content=b"x" * (2 * 1024 * 1024 + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    assert await world.database.raw.fetchval("select count(*) from inbound") == 0


async def test_webhook_says_come_again_when_the_database_is_away(world: World, stranger: Client) -> None:
    channel, secret = await add_telegram(world)
    path, headers = f"/hooks/{channel.webhook_key}", {"X-Telegram-Bot-Api-Secret-Token": secret}
    await stranger.post(path, json=update(5), headers=headers)
    await world.database.raw.execute("alter table inbound rename to inbound_away")
    lost = await stranger.post(path, json=update(6), headers=headers)
    assert lost.status_code >= 500
    await world.database.raw.execute("alter table inbound_away rename to inbound")
    await stranger.post(path, json=update(6), headers=headers)
    assert await world.database.raw.fetchval("select count(*) from inbound") == 2


async def test_unknown_keys_are_remembered_but_not_for_ever(world: World) -> None:
    doors = webhooks.Doors()
    for number in range(kept.MOST):
        doors._unknown.put(str(number), True)
    assert await doors.find(world.app.state, "nothing") is None
    assert doors._unknown.in_use() == ["nothing"]


async def test_doors_in_use_are_read_anew_before_anybody_waits_for_them(world: World) -> None:
    channel, _ = await add_telegram(world)
    doors = webhooks.Doors()
    first = await doors.find(world.app.state, channel.webhook_key)
    await world.database.raw.execute("update channels set name = 'Renamed' where id = $1", channel.id)
    async with world.database.transaction() as session:
        await doors.renew(session, world.app.state)
    second = await doors.find(world.app.state, channel.webhook_key)
    assert first is not None
    assert second is not None
    assert (first.channel.name != "Renamed", second.channel.name) == (True, "Renamed")


# --- quarantine ------------------------------------------------------------------------------


async def test_quarantine_is_listed_shown_and_replayed(world: World) -> None:
    world.app.state.inbox_wake = None
    ids = await quarantine(world, b"<script>\xff\x00", b"two", b"three")
    page = (await world.admin.get("/inbound?limit=2")).json()
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    rest = (await world.admin.get("/inbound", params={"limit": 2, "cursor": page["next"]})).json()
    assert [item["id"] for item in rest["items"]] == [ids[0]]
    assert rest["next"] is None
    assert rest["items"][0]["error"] == "Not understood."
    payload = await world.admin.get(f"/inbound/{ids[0]}/payload")
    assert payload.content == b"<script>\xff\x00"
    assert payload.headers["content-disposition"].startswith("attachment")
    assert payload.headers["content-type"] == "application/octet-stream"
    replayed = await world.admin.post(f"/inbound/{ids[0]}/replay")
    assert replayed.json()["state"] == "new"
    row = await world.database.raw.fetchrow(
        "select state, attempts, error from inbound where id = $1", ids[0]
    )
    assert tuple(row) == ("new", 0, None)
    await world.database.raw.execute("update inbound set state = 'done' where id = $1", ids[1])
    assert (await world.admin.post(f"/inbound/{ids[1]}/replay")).status_code == 409


async def test_quarantine_is_for_administrators(world: World) -> None:
    (id,) = await quarantine(world, b"one")
    for client in (world.anna, world.lead):
        assert (await client.get("/inbound")).status_code == 403
        assert (await client.get(f"/inbound/{id}/payload")).status_code == 403
        assert (await client.post(f"/inbound/{id}/replay")).status_code == 403
    assert (await world.admin.get(f"/inbound/{id + 1}/payload")).status_code == 404
    assert (await world.admin.get(f"/inbound/{2**70}/payload")).status_code == 422
    assert (await world.admin.get("/inbound?cursor=nonsense")).status_code == 400


# --- leases ----------------------------------------------------------------------------------

LONG, OVER = timedelta(minutes=1), timedelta(seconds=-1)


async def acquire(world: World, holder: str, ttl: timedelta = LONG) -> cursors.Lease | None:
    async with world.database.transaction() as session:
        return await cursors.acquire(session, world.chat, holder=holder, ttl=ttl)


async def test_one_holder_at_a_time(world: World) -> None:
    first = await acquire(world, "one")
    assert first is not None
    assert first.cursor == {}
    assert await acquire(world, "two") is None
    async with world.database.transaction() as session:
        await cursors.release(session, first)
    assert (await acquire(world, "two")) is not None


async def test_a_fenced_holder_stores_nothing(world: World) -> None:
    first = await acquire(world, "one", OVER)
    second = await acquire(world, "two")
    assert first is not None
    assert second is not None
    assert second.fence > first.fence

    async def step(lease: cursors.Lease, offset: int) -> None:
        async with world.database.transaction() as session:
            event = RawEvent(key=str(offset), payload=b"")
            await inbound.store(session, world.chat, [event])
            await cursors.advance(session, lease, cursor={"offset": offset})

    await step(second, 1)
    with pytest.raises(Fenced):
        await step(first, 2)
    with pytest.raises(Fenced):
        async with world.database.transaction() as session:
            await cursors.renew(session, first, ttl=LONG)
    keys = await world.database.raw.fetch("select key from inbound")
    assert [row["key"] for row in keys] == ["1"]
    async with world.database.transaction() as session:
        await cursors.release(session, first)
        await cursors.renew(session, second, ttl=OVER)
    third = await acquire(world, "three")
    assert third is not None
    assert third.cursor == {"offset": 1}


async def test_ten_takers_one_winner(world: World) -> None:
    found = await asyncio.gather(*(acquire(world, str(n)) for n in range(10)))
    assert sum(lease is not None for lease in found) == 1
