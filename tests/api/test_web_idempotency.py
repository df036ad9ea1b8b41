"""`Idempotency-Key`: repeats get the first answer; nothing happens twice."""

import asyncio
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from app.core import idempotency
from tests.api.conftest import World, make_settings, running
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


async def test_a_started_program_forgets_old_answers(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path)
    async with running(settings) as app:
        await app.state.database.raw.execute(
            "insert into idempotent_answers (agent_id, key, request_hash, created_at) "
            "values (uuidv7(), 'k', '', now() - interval '2 days')"
        )
    async with running(settings) as app:
        query = "select count(*) = 0 from idempotent_answers"
        await eventually(lambda: app.state.database.raw.fetchval(query))


def test_every_post_of_the_api_takes_keys() -> None:
    from app.agents.api import secret
    from channels.rest import channels
    from channels.rest_inbound import router as inbound
    from dialogs.api import router as dialogs
    from tasks.api import router as tasks

    without = {route.path for route in secret.routes if isinstance(route, APIRoute)}
    for router in (dialogs, tasks, channels, inbound):
        for route in router.routes:
            if isinstance(route, APIRoute) and "POST" in route.methods:
                assert isinstance(route, idempotency.Route), route.path
    assert without == {"/login", "/agents", "/agents/{agent_id}", "/tokens"}
