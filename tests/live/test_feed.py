"""The feed's own promises: its entities are REST's, whoever's rights change is told, nobody waits long."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.agents.viewer import Viewer
from app.core import facts
from app.web import feed as feeds
from app.web import frames, rights
from app.web.feed import Console as Watcher
from app.web.hub import RESYNC, SIGN_IN_AGAIN
from tests.api.conftest import Client, World, serve
from tests.helpers import eventually
from tests.live.console import Console, cursor_of
from tests.live.test_live import dialogs, write

_FILES = """
insert into attachments (message_id, position, kind, name, mime, size, width, height, duration, content_id,
                         state, error)
select $1, n, 'image', 'имя "' || n || '".png', 'image/png', 10 * n, 5, null, 1.25 * n, 'cid', state, error
from (values (2, 'stored', null), (1, 'pending', null), (3, 'unavailable', 'too large')) as v(n, state, error)
"""
_QUOTE = """
update messages
set reply_to_id = $2, html = '<p>ё</p>', occurred_at = '2026-01-02 03:04:05+00', edited_at = now(),
    meta = '{"subject": "Ёж", "references": ["x"], "entities": [], "note": {"deep": [1, 2.5, null]}}'
where id = $1
"""


async def test_what_the_feed_says_of_anything_is_what_rest_says(world: World) -> None:
    start = await cursor_of(world.admin)
    await _everything(world)
    said: dict[str, dict[str, Any]] = {}
    events = (await world.admin.get("/events", params={"after": start, "limit": 200})).json()
    for fact in events["items"]:
        for noun in ("dialog", "message", "task", "customer", "channel", "agent", "team"):
            if noun in fact:
                said.setdefault(noun, {})[fact[noun]["id"]] = fact[noun]
    for noun, entities in said.items():
        for id, entity in entities.items():
            assert _sorted(entity) == await _fetched(world.admin, noun, id, entity), noun
    assert {noun: len(found) for noun, found in said.items()} == {
        **{"dialog": 1, "message": 4, "task": 1, "customer": 1, "channel": 1, "agent": 1, "team": 1}
    }


_READ_WHOLE = """
select relname from pg_stat_xact_user_tables
where seq_scan > 0 and relname ~ '^(facts|messages|dialogs|customers|attachments)'
"""


async def test_the_reader_s_plans_are_made_for_tables_that_will_have_grown(world: World) -> None:
    connection = await world.database.connect()
    try:
        start = await facts.head(connection)
        await write(world, "clara", "Where is my order?")
        async with connection.transaction():  # the server counts what is read in it
            rows = await facts.read(connection, start)
            feed = world.app.state.feed
            assert await frames.build(world.database, rows, epoch=feed.epoch, connection=connection)
            assert await connection.fetch(_READ_WHOLE) == []
    finally:
        await connection.close()


async def test_the_log_is_not_planned_anew_at_each_reading(world: World) -> None:
    async with world.database.raw.acquire() as connection:
        for _ in range(8):
            await facts.read(connection, facts.Position(0, 0))
        found = "select custom_plans, generic_plans from pg_prepared_statements where statement like $1"
        row = await connection.fetchrow(found, "%from facts%pg_snapshot_xmin%")
    assert row["generic_plans"] >= 3, "five times for the values given, then once for all"


async def _everything(world: World) -> None:
    """A fact about every noun, and messages that have all a message may have."""
    await write(world, "clara", "Where is my order?")
    await write(world, "clara", "And the other one?")
    (dialog,) = await dialogs(world.admin)
    first, second = await world.database.raw.fetch("select id from messages order by seq")
    await world.database.raw.execute(_FILES, second["id"])
    await world.database.raw.execute(_QUOTE, second["id"], first["id"])
    await world.database.raw.execute("update customers set avatar_key = 'avatars/0123456789'")
    await world.admin.post(f"/channels/{world.chat}/pause")
    body = {"client_key": uuid4().hex, "text": "Waits for its channel."}
    assert (await world.admin.post(f"/dialogs/{dialog['id']}/messages", json=body)).status_code == 201
    task = {"title": "Look", "dialog_ids": [dialog["id"]], "owner_id": world.boris.id}
    assert (await world.admin.post("/tasks", json=task)).status_code == 201
    await world.admin.patch(f"/customers/{dialog['customer']['id']}", json={"about": "likes tea"})
    await world.admin.patch(f"/agents/{world.boris.id}", json={"name": "Boris B."})
    await world.admin.patch(f"/teams/{world.sales}", json={"name": "Sales and more"})


async def _fetched(client: Client, noun: str, id: str, entity: dict[str, Any]) -> Any:
    if noun == "message":
        path = f"/customers/{entity['customer_id']}/messages"
        items = (await client.get(path)).json()["items"]
        return next(item for item in items if item["id"] == id)
    if noun in ("agent", "team", "channel"):
        found = (await client.get(f"/{noun}s")).json()
        return _sorted(next(item for item in found if item["id"] == id))
    whole = (await client.get(f"/{noun}s/{id}")).json()
    return {name: value for name, value in whole.items() if name in entity}


def _sorted(entity: dict[str, Any]) -> dict[str, Any]:
    """With the one set that an entity holds in some order."""
    if "capabilities" in entity:
        entity["capabilities"]["attachments"].sort()
    return entity


async def test_a_message_behind_an_open_transaction_comes_as_soon_as_that_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_LOOK_SECONDS", 3600)  # no look but after a ring, and soon after
    async with serve(world.app) as address:
        console = await Console(world.anna, address, await cursor_of(world.anna)).connect()
        async with _open_transaction(world):
            await write(world, "clara", "Where is my order?")
            written = await world.database.raw.fetchval("select max(id) from facts")
            _, hidden = await facts.look(world.database.raw, world.app.state.feed.position, limit=1)
            assert hidden
            assert world.app.state.feed.position.id < written
            assert console.facts == []
        await eventually(lambda: "message.created" in console.types)
        await console.leave()


@asynccontextmanager
async def _open_transaction(world: World) -> AsyncIterator[None]:
    async with world.database.raw.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select pg_current_xact_id()")
        yield
        await transaction.rollback()


async def test_a_server_that_takes_no_frames_is_served_as_well(world: World) -> None:
    async with serve(world.app, ws="websockets-sansio") as address:
        console = await Console(world.anna, address, await cursor_of(world.anna)).connect()
        await write(world, "clara", "Где мой заказ?")
        await eventually(lambda: "message.created" in console.types)
        (message,) = console.state["message"].values()
        assert message["text"] == "Где мой заказ?"
        await console.leave()


# --- rights ---------------------------------------------------------------------------------


async def _watch(world: World, agent_ids: list[UUID]) -> dict[UUID, Watcher]:
    """Consoles of these agents, as if their sockets were open."""
    feed = world.app.state.feed
    viewers = [Viewer(agent_id, role) for agent_id, role in await _roles(world, agent_ids)]
    keys = await rights.keys_of(world.database.raw, viewers)
    watchers = {}
    for viewer, held in zip(viewers, keys, strict=True):
        if held is not None:
            watcher = watchers[viewer.agent_id] = Watcher(_nowhere, held, after=feed.position)
            watcher.viewer = viewer
            watcher.release()
            feed.hub.join(watcher)
    return watchers


async def _nowhere(_message: dict[str, Any]) -> None:
    """A socket that takes everything."""


async def _roles(world: World, agent_ids: list[UUID]) -> list[tuple[UUID, str]]:
    query = "select id, role from agents where id = any($1) order by id"
    return [(row["id"], row["role"]) for row in await world.database.raw.fetch(query, agent_ids)]


async def _given(world: World) -> None:
    """Wait until the feed has given out everything."""
    last = await world.database.raw.fetchval("select max(id) from facts")
    await eventually(lambda: world.app.state.feed.position.id >= last)


def _told(watcher: Watcher) -> int | None:
    return watcher.close_code if watcher.closed.is_set() else None


def _all_told(watchers: list[Watcher], expected: list[int | None]) -> bool:
    return [_told(watcher) for watcher in watchers] == expected


async def test_whoever_may_see_other_things_than_before_is_told(world: World) -> None:
    """Many changes of people, teams and channels; after each, no socket holds keys it should not."""
    pick = random.Random(5)
    for number in range(8):
        await world.add_agent(f"agent{number}", role="lead" if number < 2 else "agent")
    agents = [world.clients[name].agent_id for name in ("lead", "anna", *(f"agent{n}" for n in range(8)))]
    teams = [world.support, world.sales]
    for turn in range(24):
        watchers = await _watch(world, agents)
        await _change(world, pick, turn % 4, agents, teams)
        await _given(world)
        viewers = [watcher.viewer for watcher in watchers.values()]
        now = await rights.keys_of(world.database.raw, viewers)
        expected = [
            None if keys == watcher.keys else SIGN_IN_AGAIN if keys is None else RESYNC
            for watcher, keys in zip(watchers.values(), now, strict=True)
        ]
        await eventually(partial(_all_told, list(watchers.values()), expected))
        for watcher in watchers.values():
            world.app.state.feed.hub.leave(watcher)


async def _change(
    world: World, pick: random.Random, kind: int, agents: list[UUID], teams: list[UUID]
) -> None:
    def some(of: list[UUID], most: int) -> list[str]:
        return [str(one) for one in pick.sample(of, pick.randint(0, most))]

    if kind == 0:
        answer = await world.admin.patch(f"/agents/{pick.choice(agents)}", json={"team_ids": some(teams, 2)})
    elif kind == 1:
        answer = await world.admin.patch(f"/teams/{pick.choice(teams)}", json={"member_ids": some(agents, 6)})
    elif kind == 2:
        answer = await world.admin.patch(f"/channels/{world.chat}", json={"team_ids": some(teams, 2)})
    else:
        values = pick.choice([{"role": "lead"}, {"role": "agent"}, {"active": False}, {"active": True}])
        answer = await world.admin.patch(f"/agents/{pick.choice(agents)}", json=values)
    assert answer.status_code == 200, answer.text


async def test_a_change_of_a_team_costs_a_few_queries_however_many_watch(world: World) -> None:
    insert = (
        "insert into agents (name, email) select n::text, n || '@desk.test' from generate_series(1, 300) n"
    )
    rows = await world.database.raw.fetch(f"{insert} returning id")
    agents = [row["id"] for row in rows]
    await world.database.raw.executemany(
        "insert into team_members (team_id, agent_id) values ($1, $2)",
        [(world.support, agent) for agent in agents[:200]],
    )
    watchers = await _watch(world, agents)
    await _given(world)
    asked: list[str] = []
    world.app.state.feed.reader.add_query_logger(lambda query: asked.append(query.query))
    moved = agents[199]
    members = [str(agent) for agent in [*agents[:199], agents[200]]]
    answer = await world.admin.patch(f"/teams/{world.support}", json={"member_ids": members})
    assert answer.status_code == 200
    await eventually(lambda: watchers[moved].closed.is_set() and watchers[agents[200]].closed.is_set())
    assert sum(watcher.closed.is_set() for watcher in watchers.values()) == 2
    assert len([query for query in asked if "from facts" not in query]) < 10
