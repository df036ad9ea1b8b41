"""Agents and teams: who may change them, what it does to those concerned."""

import asyncio
from uuid import uuid4

import pytest

from tests.api.conftest import Client, World, make_client


async def types_of_facts(world: World) -> list[str]:
    rows = await world.database.raw.fetch("select type from facts order by id")
    return [row["type"] for row in rows]


async def test_me_and_lists(world: World) -> None:
    me = (await world.anna.get("/me")).json()
    assert me["id"] == world.anna.id
    assert me["team_ids"] == [str(world.support)]
    assert me["role"] == "agent"
    agents = (await world.boris.get("/agents")).json()
    assert [agent["name"] for agent in agents] == ["Admin", "Anna", "Boris", "Lead"]
    assert not any("password" in key for agent in agents for key in agent)
    listed = {team["name"]: team["member_ids"] for team in (await world.anna.get("/teams")).json()}
    assert listed["Sales"] == [world.boris.id]


async def test_nobody_sees_nothing(stranger: Client) -> None:
    for path in ("/me", "/agents", "/teams", "/tokens", "/channels", "/inbound"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("who", ["anna", "lead"])
async def test_only_an_administrator_changes_people(world: World, who: str) -> None:
    client = world.clients[who]
    tries = [
        client.post("/agents", json={"name": "X", "email": "x@desk.test"}),
        client.patch(f"/agents/{client.id}", json={"role": "admin"}),
        client.post("/teams", json={"name": "X"}),
        client.patch(f"/teams/{world.support}", json={"member_ids": []}),
        client.delete(f"/teams/{world.support}"),
    ]
    for answer in await asyncio.gather(*tries):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert len((await world.admin.get("/agents")).json()) == 4


async def test_new_agent_gets_a_password_once_and_can_sign_in(world: World, stranger: Client) -> None:
    made = await world.admin.post(
        "/agents", json={"name": "Вера", "email": "Vera@desk.test", "team_ids": [str(world.sales)]}
    )
    assert made.status_code == 201, made.text
    password = made.json()["password"]
    assert made.json()["team_ids"] == [str(world.sales)]
    signed = await stranger.post("/login", json={"email": "vera@desk.test", "password": password})
    assert signed.json()["must_change_password"] is True
    stranger.headers["X-Otklik"] = "1"
    for path in ("/sync", "/agents", "/dialogs", "/channels/kinds"):
        refused = await stranger.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required"), path
    named = await stranger.post("/teams", json={"name": "X"})
    assert named.json()["code"] == "password_change_required"
    assert (await stranger.get("/me")).status_code == 200
    changed = await stranger.patch("/me", json={"password": {"current": password, "new": "another one"}})
    assert changed.json()["must_change_password"] is False
    assert (await stranger.get("/sync")).status_code == 200
    assert "agent.created" in await types_of_facts(world)


async def test_who_must_change_his_password_may_sign_out(world: World, stranger: Client) -> None:
    made = await world.admin.post("/agents", json={"name": "V", "email": "v@desk.test"})
    login = {"email": "v@desk.test", "password": made.json()["password"]}
    assert (await stranger.post("/login", json=login)).status_code == 200
    stranger.headers["X-Otklik"] = "1"
    assert (await stranger.post("/logout-everywhere")).status_code == 204
    assert (await stranger.post("/logout")).status_code == 204
    assert (await stranger.get("/me")).status_code == 401


async def test_new_agent_joins_the_only_team(world: World) -> None:
    assert (await world.admin.delete(f"/teams/{world.sales}")).status_code == 204
    made = await world.admin.post("/agents", json={"name": "V", "email": "v@desk.test"})
    assert made.json()["team_ids"] == [str(world.support)]
    await world.admin.post("/teams", json={"name": "Other"})
    made = await world.admin.post("/agents", json={"name": "W", "email": "w@desk.test"})
    assert made.json()["team_ids"] == []


async def test_given_password_is_not_repeated(world: World) -> None:
    made = await world.admin.post(
        "/agents", json={"name": "V", "email": "v@desk.test", "password": "given one"}
    )
    assert made.json()["password"] is None


async def test_bots_have_no_password_and_cannot_sign_in(world: World, stranger: Client) -> None:
    made = await world.admin.post(
        "/agents", json={"name": "Bot", "is_bot": True, "email": "bot@desk.test", "password": "given one"}
    )
    assert made.status_code == 201
    assert made.json()["password"] is None
    answer = await stranger.post("/login", json={"email": "bot@desk.test", "password": "given one"})
    assert answer.json()["code"] == "wrong_login"
    reset = await world.admin.patch(f"/agents/{made.json()['id']}", json={"reset_password": True})
    assert reset.json()["code"] == "invalid"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 301}, "name"),
        ({"email": "no address"}, "email"),
        ({"email": None}, "email"),
        ({"role": "god"}, "role"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"locale": "de"}, "locale"),
        ({"password": "5h0rt"}, "password"),
        ({"team_ids": [str(uuid4())]}, "team_ids"),
        ({"team_ids": ["x"]}, "team_ids.0"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_bad_agents_are_refused_by_field(world: World, change: dict[str, object], field: str) -> None:
    body = {"name": "V", "email": "v@desk.test"} | change
    answer = await world.admin.post("/agents", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] in ("invalid", "malformed")
    assert answer.json()["errors"][0]["field"] == field
    assert "5h0rt" not in answer.text
    assert len((await world.admin.get("/agents")).json()) == 4


async def test_email_is_unique_in_any_case(world: World) -> None:
    answer = await world.admin.post("/agents", json={"name": "A", "email": "ANNA@desk.test"})
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    answer = await world.admin.patch(f"/agents/{world.boris.id}", json={"email": "anna@desk.test"})
    assert answer.json()["code"] == "email_taken"


async def test_deactivation_ends_sessions_and_tokens_at_once(world: World) -> None:
    program = await world.program(world.anna.agent_id, "read")
    assert (await program.get("/me")).status_code == 200
    answer = await world.admin.patch(f"/agents/{world.anna.id}", json={"active": False})
    assert answer.json()["active"] is False
    assert (await world.anna.get("/me")).status_code == 401
    assert (await program.get("/me")).status_code == 401
    await world.admin.patch(f"/agents/{world.anna.id}", json={"active": True})
    assert (await world.anna.get("/me")).status_code == 401


async def test_reset_password_ends_sessions_and_must_be_changed(world: World, stranger: Client) -> None:
    answer = await world.admin.patch(f"/agents/{world.anna.id}", json={"reset_password": True})
    assert (await world.anna.get("/me")).status_code == 401
    signed = await stranger.post(
        "/login", json={"email": "anna@desk.test", "password": answer.json()["password"]}
    )
    assert signed.json()["must_change_password"] is True


@pytest.mark.parametrize("change", [{"active": False}, {"role": "lead"}])
async def test_the_last_administrator_stays(world: World, change: dict[str, object]) -> None:
    answer = await world.admin.patch(f"/agents/{world.admin.id}", json=change)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    second = await world.add_agent("second", role="admin")
    assert (await second.patch(f"/agents/{world.admin.id}", json=change)).status_code == 200


async def test_two_administrators_cannot_remove_each_other_at_once(world: World) -> None:
    second = await world.add_agent("second", role="admin")
    answers = await asyncio.gather(
        world.admin.patch(f"/agents/{second.id}", json={"role": "agent"}),
        second.patch(f"/agents/{world.admin.id}", json={"role": "agent"}),
    )
    left = await world.database.raw.fetchval("select count(*) from agents where role = 'admin'")
    assert left == 1
    assert sorted(answer.status_code for answer in answers)[0] == 200


async def test_teams_change_and_tell(world: World) -> None:
    made = await world.admin.post("/teams", json={"name": "Third", "member_ids": [world.anna.id]})
    assert made.json()["member_ids"] == [world.anna.id]
    taken = await world.admin.post("/teams", json={"name": "Third"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    path = f"/teams/{made.json()['id']}"
    changed = await world.admin.patch(path, json={"name": "Fourth", "member_ids": [world.boris.id]})
    assert changed.json()["member_ids"] == [world.boris.id]
    assert (await world.admin.delete(path)).status_code == 204
    assert (await world.admin.delete(path)).status_code == 404
    assert (await types_of_facts(world))[-3:] == ["team.created", "team.changed", "team.removed"]


async def test_unknown_members_are_refused_and_nothing_changes(world: World) -> None:
    answer = await world.admin.patch(f"/teams/{world.sales}", json={"member_ids": [str(uuid4())]})
    assert answer.json()["errors"][0]["field"] == "member_ids"
    teams = {team["id"]: team for team in (await world.admin.get("/teams")).json()}
    assert teams[str(world.sales)]["member_ids"] == [world.boris.id]


async def test_changes_of_a_lapsed_agent_do_not_reach(world: World) -> None:
    answer = await world.admin.patch(f"/agents/{uuid4()}", json={"name": "X"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_two_browsers_of_one_client_do_not_mix(world: World) -> None:
    async with make_client(world.app) as nobody:
        assert (await nobody.get("/me", headers={"Authorization": "Bearer otk_nonsense"})).status_code == 401
        assert (await nobody.get("/me", headers={"Cookie": "otklik_session=nonsense"})).status_code == 401
