"""`Idempotency-Key`: repeats get the first answer; nothing happens twice."""

import asyncio

import pytest

from app.core import idempotency
from tests.api.conftest import World

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
