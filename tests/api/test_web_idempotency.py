"""`Idempotency-Key`: repeats get the first answer; nothing happens twice."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from app.agents.api import router as people
from app.core import idempotency
from channels.rest import router as channels
from dialogs.api import router as dialogs
from dialogs.api_customers import router as customers
from dialogs.api_merges import router as merges
from tasks.api import router as tasks
from tests.api.conftest import World
from tests.helpers import eventually

KEY = {"Idempotency-Key": "k-1"}


async def teams(world: World) -> int:
    return len((await world.admin.get("/teams")).json())


async def test_repeat_gets_the_first_answer(world: World) -> None:
    first = await world.admin.post("/teams", json={"name": "New"}, headers=KEY)
    again = await world.admin.post("/teams", json={"name": "New"}, headers=KEY)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await teams(world) == 3


async def test_another_body_or_path_is_a_mismatch(world: World) -> None:
    await world.admin.post("/teams", json={"name": "New"}, headers=KEY)
    other = await world.admin.post("/teams", json={"name": "Other"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    path = await world.admin.post("/logout-everywhere", headers=KEY)
    assert path.json()["code"] == "idempotency_mismatch"


async def test_keys_belong_to_their_agent(world: World) -> None:
    second = await world.add_agent("second", role="admin")
    assert (await world.admin.post("/teams", json={"name": "A"}, headers=KEY)).status_code == 201
    assert (await second.post("/teams", json={"name": "B"}, headers=KEY)).status_code == 201


async def test_a_failed_request_may_be_repeated(world: World) -> None:
    await world.admin.post("/teams", json={"name": "Taken"})
    failed = await world.admin.post("/teams", json={"name": "Taken"}, headers=KEY)
    assert failed.status_code == 409
    (team,) = [t for t in (await world.admin.get("/teams")).json() if t["name"] == "Taken"]
    await world.admin.delete(f"/teams/{team['id']}")
    assert (await world.admin.post("/teams", json={"name": "Taken"}, headers=KEY)).status_code == 201


async def test_ten_at_once_do_it_once(world: World) -> None:
    answers = await asyncio.gather(
        *(world.admin.post("/teams", json={"name": "New"}, headers=KEY) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await teams(world) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_bad_keys_are_refused(world: World, key: str) -> None:
    answer = await world.admin.post("/teams", json={"name": "New"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert await teams(world) == 2


async def test_answers_with_secrets_are_not_stored(world: World) -> None:
    body = {"name": "t", "scopes": ["read"]}
    made = await world.admin.post("/tokens", json=body, headers=KEY)
    assert made.status_code == 201
    assert await world.database.raw.fetchval("select count(*) from idempotent_answers") == 0


async def test_old_answers_are_forgotten(world: World) -> None:
    await world.admin.post("/teams", json={"name": "New"}, headers=KEY)
    await world.run(idempotency.forget_old)
    assert await world.database.raw.fetchval("select count(*) from idempotent_answers") == 1
    await world.database.raw.execute("update idempotent_answers set created_at = now() - interval '25 h'")
    await world.run(idempotency.forget_old)
    assert await world.database.raw.fetchval("select count(*) from idempotent_answers") == 0


async def test_a_channel_is_connected_once(world: World) -> None:
    """Its request works in several transactions: the key is taken in the one that saves it."""
    body = {"kind": "api", "name": "Shop"}
    first = await world.admin.post("/channels", json=body, headers=KEY)
    again = await world.admin.post("/channels", json=body, headers=KEY)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert await world.database.raw.fetchval("select count(*) from channels where name = 'Shop'") == 1


async def test_a_channel_is_connected_once_by_many_at_once(world: World) -> None:
    body = {"kind": "api", "name": "Shop"}
    answers = await asyncio.gather(*(world.admin.post("/channels", json=body, headers=KEY) for _ in range(5)))
    # Who comes while the first still speaks with the platform is told that the key is taken.
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await world.database.raw.fetchval("select count(*) from channels where name = 'Shop'") == 1


async def test_a_contact_is_written_down_once(world: World) -> None:
    event = {"event_id": "e", "sender": {"external_id": "7"}, "text": "Hello"}
    await world.admin.post(f"/channels/{world.chat}/inbound", json=event)
    query = "select customer_id from identities"
    customer = await eventually(lambda: world.database.raw.fetchval(query))
    body = {"kind": "email", "external_id": "anna@example.org"}
    path = f"/customers/{customer}/contacts"
    first = await world.anna.post(path, json=body, headers=KEY)
    assert first.status_code == 201, first.text
    again = await world.anna.post(path, json=body, headers=KEY)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()


async def test_every_post_takes_a_key_or_says_why_not(world: World) -> None:
    document = (await world.admin.get("/openapi.json")).json()
    honoured = {
        (route.path, method)
        for router in (people, channels, dialogs, customers, merges, tasks)
        for route in flat(router.routes)
        if isinstance(route, idempotency.Route)
        for method in route.methods
    }
    assert len(honoured) > 20
    for path, methods in document["paths"].items():
        short = path.removeprefix("/api/v1")
        if short == path or "post" not in methods or (short, "POST") in honoured or short == "/login":
            continue
        assert "`Idempotency-Key` is not honoured" in methods["post"]["description"], path


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """Routes with those of included routers."""
    for route in routes:
        inside = getattr(route, "original_router", None)
        if inside is None:
            yield route
        else:
            yield from flat(inside.routes)
