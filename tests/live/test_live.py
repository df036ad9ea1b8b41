"""Whoever reconnects — after a cut, to another process, late — ends with the state of who never left."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psutil
import pytest

from app.core.config import Settings
from app.web import hub, live, wire
from tests.api.conftest import Client, World, running, serve
from tests.helpers import eventually
from tests.live.console import Console, cursor_of, quiet


async def write(world: World, who: str, text: str) -> None:
    """A customer writes by the API channel; returns when it is in the thread."""
    bot = await world.program(world.admin.agent_id, "inbound")
    body = {
        "event_id": uuid4().hex,
        "chat": who,
        "message_id": uuid4().hex,
        "sender": {"external_id": who, "name": who.title()},
        "text": text,
    }
    answer = await bot.post(f"/channels/{world.chat}/inbound", json=body)
    assert answer.status_code == 202, answer.text
    waiting = "select count(*) from inbound where state = 'new'"
    await eventually(lambda: _none(world, waiting))


async def _none(world: World, query: str) -> bool:
    return await world.database.raw.fetchval(query) == 0


async def dialogs(client: Client, status: str = "open") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        await client.get("/dialogs", params={"status": status, "limit": 200})
    ).json()["items"]
    return items


@pytest.fixture
async def address(world: World) -> AsyncIterator[str]:
    async with serve(world.app) as address:
        yield address


@pytest.fixture
async def other_address(settings: Settings, world: World) -> AsyncIterator[str]:
    """A second process on the same database, as far as one test can be two processes."""
    async with running(settings) as app, serve(app) as address:
        yield address


async def test_a_message_and_its_answer_are_seen_at_once(world: World, address: str) -> None:
    console = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    await write(world, "clara", "Where is my order?")
    await eventually(lambda: "message.created" in console.types)
    (dialog,) = console.state["dialog"].values()
    assert dialog["preview"] == "Where is my order?"
    assert console.types == ["customer.created", "identity.added", "dialog.opened", "message.created"]
    answer = await world.anna.post(
        f"/dialogs/{dialog['id']}/messages", json={"client_key": uuid4().hex, "text": "It left today."}
    )
    await eventually(lambda: answer.json()["id"] in console.state["message"])
    assert console.state["dialog"][dialog["id"]]["waiting_since"] is None
    await console.leave()


async def test_every_console_ends_with_the_same_state(world: World, address: str, other_address: str) -> None:
    """Four writers at once; one console stays, one is cut time and again, one comes late."""
    start = await cursor_of(world.anna)
    stays = await Console(world.anna, address, start).connect()
    cut = await Console(world.anna, other_address, start).connect()
    writing = asyncio.gather(*(_work(world, seed) for seed in range(4)))
    addresses = [address, other_address]
    turns = 0
    while not writing.done():
        await asyncio.sleep(0.05)
        await cut.cut()
        turns += 1
        cut.address = addresses[turns % 2].replace("http", "ws", 1)
        await cut.connect()
    await writing
    late = await Console(world.anna, other_address, start).connect()
    await quiet(world.anna, stays, cut, late)
    assert turns > 3
    assert stays.state == cut.state == late.state
    assert stays.facts == cut.facts == late.facts
    assert len(set(stays.facts)) == len(stays.facts)
    await _same_as_fetched(world.anna, stays)
    for console in (stays, cut, late):
        await console.leave()


async def _work(world: World, seed: int) -> None:
    """What a busy quarter of an hour looks like, in a second."""
    chance = random.Random(seed)
    for step in range(12):
        await write(world, f"customer{chance.randrange(5)}", f"message {seed}-{step}")
        found = await dialogs(world.anna)
        if not found:
            continue
        dialog = chance.choice(found)["id"]
        act = chance.randrange(5)
        if act == 0:
            body = {"client_key": uuid4().hex, "text": f"answer {seed}-{step}", "direction": "note"}
            await world.anna.post(f"/dialogs/{dialog}/messages", json=body)
        elif act == 1:
            await world.anna.post(f"/dialogs/{dialog}/close")
        elif act == 2:
            await world.lead.patch(f"/dialogs/{dialog}", json={"assignee_id": world.anna.id})
        elif act == 3:
            task = {"title": f"task {seed}-{step}", "dialog_ids": [dialog], "owner_id": world.anna.id}
            await world.anna.post("/tasks", json=task)
        else:
            await world.admin.patch(f"/dialogs/{dialog}", json={"assignee_id": None})


async def _same_as_fetched(client: Client, console: Console) -> None:
    """What the feed built is what REST says."""
    fetched = {
        dialog["id"]: {name: value for name, value in dialog.items() if name != "unread"}
        for status in ("open", "closed", "snoozed")
        for dialog in await dialogs(client, status)
    }
    assert console.state["dialog"] == fetched
    messages = {
        message["id"]: message
        for customer in {dialog["customer"]["id"] for dialog in fetched.values()}
        for message in (await client.get(f"/customers/{customer}/messages", params={"limit": 200})).json()[
            "items"
        ]
    }
    assert console.state["message"] == messages
    tasks = (await client.get("/tasks", params={"view": "all", "status": "any", "limit": 200})).json()[
        "items"
    ]
    assert console.state["task"] == {task["id"]: task for task in tasks}


async def test_what_is_not_mine_does_not_reach_me(world: World, address: str) -> None:
    boris = await Console(world.boris, address, await cursor_of(world.boris)).connect()
    anna = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    await write(world, "clara", "for support only")
    await eventually(lambda: "message.created" in anna.types)
    await quiet(world.boris, boris)
    assert boris.facts == []
    (dialog,) = anna.state["dialog"]
    await world.anna.patch(f"/dialogs/{dialog}", json={"team_id": str(world.sales)})
    await eventually(lambda: dialog in boris.state["dialog"])
    await eventually(lambda: dialog not in anna.state["dialog"])
    assert anna.types[-1] == "dialog.hidden"
    await anna.leave()
    await boris.leave()


async def test_reading_is_told_to_oneself_only(world: World, address: str) -> None:
    anna = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    lead = await Console(world.lead, address, await cursor_of(world.lead)).connect()
    await write(world, "clara", "hello")
    await eventually(lambda: anna.state["dialog"])
    (dialog,) = anna.state["dialog"]
    await world.anna.post(f"/dialogs/{dialog}/read", json={"inbound_count": 1})
    await eventually(lambda: "dialog.read" in anna.types)
    await quiet(world.lead, lead)
    assert "dialog.read" not in lead.types
    await anna.leave()
    await lead.leave()


async def test_after_the_server_was_killed_nothing_is_missing(
    world: World, settings: Settings, address: str
) -> None:
    async with running(settings) as app, serve(app) as first:
        console = await Console(world.anna, first, await cursor_of(world.anna)).connect()
        await write(world, "clara", "before")
        await eventually(lambda: console.state["message"])
    await eventually(lambda: console.closed is not None)
    await write(world, "clara", "while it was away")
    console.address = address.replace("http", "ws", 1)
    await console.connect()
    await write(world, "clara", "after")
    await quiet(world.anna, console)
    texts = [message["text"] for message in sorted(console.state["message"].values(), key=lambda m: m["seq"])]
    assert texts == ["before", "while it was away", "after"]
    await console.leave()


def _is_held(port: int) -> bool:
    """Whether this process, which is the server too, holds the other end of a connection from `port`."""
    found = psutil.Process().net_connections("tcp4")
    return any(one.fd != -1 and one.raddr and one.raddr.port == port for one in found)


async def test_a_console_that_does_not_read_is_closed_and_loses_nothing(
    world: World, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_BACKLOG", 20)
    monkeypatch.setattr(live, "_CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(wire, "_LINGER_SECONDS", 0.1)
    await write(world, "clara", "hello")
    (dialog,) = await dialogs(world.anna)
    start = await cursor_of(world.anna)
    brisk = await Console(world.lead, address, start).connect()
    _, writer = await open_and_never_read(world.anna, address, start)
    (connection,) = await eventually(lambda: world.app.state.feed.hub.holders([f"self:{world.anna.id}"]))

    async def note() -> None:
        body = {"client_key": uuid4().hex, "text": "ы" * 20_000, "direction": "note"}
        answer = await world.lead.post(f"/dialogs/{dialog['id']}/messages", json=body)
        assert answer.status_code == 201

    while not connection.closed.is_set():
        await asyncio.gather(*(note() for _ in range(8)))
    assert connection.close_code == 4408
    own = writer.get_extra_info("sockname")[1]
    await eventually(lambda: not _is_held(own))  # the server's end, with all that waits to be sent
    writer.transport.abort()
    await quiet(world.lead, brisk)
    again = await Console(world.anna, address, start).connect()
    await quiet(world.anna, again)
    assert again.state["message"] == brisk.state["message"]
    await again.leave()
    await brisk.leave()


async def open_and_never_read(
    client: Client, address: str, cursor: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A socket whose other end does not read after the handshake."""
    host = address.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"), limit=1024)
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    hello = (
        f"GET /api/v1/live?after={cursor} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    writer.write(hello.encode())
    assert b"101" in await reader.readuntil(b"\r\n")
    return reader, writer


async def test_signing_out_closes_the_socket(world: World, address: str) -> None:
    console = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    await eventually(lambda: console.lane)
    assert (await world.anna.post("/logout")).status_code == 204
    await eventually(lambda: console.closed == 4401)
    await console.connect()
    await eventually(lambda: console.closed == 4401)


async def test_revoking_a_token_closes_its_socket(world: World, address: str) -> None:
    made = await world.admin.post("/tokens", json={"name": "feed", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    program = Console(world.admin, address, await cursor_of(world.admin))
    world.admin.cookies, cookies = type(world.admin.cookies)(), world.admin.cookies
    await program.connect(**headers)
    world.admin.cookies = cookies
    await eventually(lambda: program.lane)
    assert (await world.admin.delete(f"/tokens/{made.json()['id']}")).status_code == 204
    await eventually(lambda: program.closed == 4401)


async def test_who_changes_teams_is_told_to_take_the_state_anew(world: World, address: str) -> None:
    console = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    await eventually(lambda: console.lane)
    await world.admin.patch(f"/agents/{world.anna.id}", json={"team_ids": [str(world.sales)]})
    await eventually(lambda: console.closed == 4409)


@pytest.mark.parametrize("cursor", ["", "nonsense", "AAAA", "9" * 300])
async def test_a_foreign_cursor_is_told_to_take_the_state_anew(
    world: World, address: str, cursor: str
) -> None:
    console = await Console(world.anna, address, cursor).connect()
    await eventually(lambda: console.closed == 4409)
    assert (await world.anna.get("/events", params={"after": cursor})).status_code == 409


async def test_a_foreign_page_and_a_stranger_are_refused(world: World, address: str) -> None:
    cursor = await cursor_of(world.anna)
    foreign = await Console(world.anna, address, cursor).connect(Origin="https://evil.test")
    await eventually(lambda: foreign.closed == 4403)
    world.boris.cookies.clear()
    stranger = await Console(world.boris, address, cursor).connect()
    await eventually(lambda: stranger.closed == 4401)


async def test_typing_reaches_who_sees_the_dialog_over_processes(
    world: World, address: str, other_address: str
) -> None:
    await write(world, "clara", "hello")
    (dialog,) = await dialogs(world.anna)
    anna = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    lead = await Console(world.lead, other_address, await cursor_of(world.lead)).connect()
    boris = await Console(world.boris, other_address, await cursor_of(world.boris)).connect()
    await eventually(lambda: lead.lane and boris.lane)
    await anna.say(lane="typing", dialog_id=dialog["id"], note=False)
    typing = {"lane": "typing", "dialog_id": dialog["id"], "agent_id": world.anna.id, "note": False}
    await eventually(lambda: typing in lead.lane)
    assert typing not in boris.lane
    await boris.say(lane="typing", dialog_id=dialog["id"], note=False)
    await boris.say(lane="nonsense")
    await anna.say(lane="presence", state="away")
    await eventually(lambda: any(said.get("agents", {}).get(world.anna.id) == "away" for said in lead.lane))
    assert not [said for said in lead.lane if said.get("agent_id") == world.boris.id]
    for console in (anna, lead, boris):
        await console.leave()


async def test_viewing_is_told_to_who_looks_at_the_same(world: World, address: str) -> None:
    await write(world, "clara", "hello")
    (dialog,) = await dialogs(world.anna)
    anna = await Console(world.anna, address, await cursor_of(world.anna)).connect()
    lead = await Console(world.lead, address, await cursor_of(world.lead)).connect()
    await anna.say(lane="viewing", dialog_id=dialog["id"])
    await lead.say(lane="viewing", dialog_id=dialog["id"])
    both = {"lane": "viewing", "dialog_id": dialog["id"], "agent_ids": sorted([world.anna.id, world.lead.id])}
    await eventually(lambda: both in anna.lane and both in lead.lane)
    await lead.leave()
    alone = both | {"agent_ids": [world.anna.id]}
    await eventually(lambda: alone in anna.lane[anna.lane.index(both) :])
    await anna.leave()


async def test_the_log_over_http_is_the_same_log(world: World, address: str) -> None:
    start = await cursor_of(world.anna)
    console = await Console(world.anna, address, start).connect()
    for number in range(5):
        await write(world, f"c{number}", "hello")
    await quiet(world.anna, console)
    cursors: list[str] = []
    while True:
        answer = (await world.anna.get("/events", params={"after": start, "limit": 3})).json()
        cursors += [fact["cursor"] for fact in answer["items"]]
        start = answer["cursor"]
        if not answer["more"]:
            break
    assert cursors == console.facts
    await console.leave()
