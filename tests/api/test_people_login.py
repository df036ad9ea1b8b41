"""Signing in and out: cookies, CSRF, guessing, sessions that end."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.agents import passwords, people, throttle
from app.agents.auth import COOKIE
from app.agents.models import LoginSession
from app.agents.people import NewAgent
from app.core.clock import now
from app.core.errors import TooMany
from app.core.facts import SYSTEM
from tests.api.conftest import Client, World, make_client, make_settings, running

PASSWORD = "correct horse"


async def add_person(world: World, email: str = "vera@desk.test") -> None:
    hashed = await passwords.make_hash(PASSWORD)
    async with world.database.transaction() as session:
        new = NewAgent(name="Vera", email=email, password_hash=hashed)
        await people.create(session, new, actor=SYSTEM, team_ids=[])


async def log_in(client: Client, email: str = "vera@desk.test", password: str = PASSWORD):
    return await client.post("/login", json={"email": email, "password": password})


async def test_login_gives_a_guarded_cookie_and_me(world: World, stranger: Client) -> None:
    await add_person(world)
    answer = await log_in(stranger, email="VERA@desk.test")
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == "Vera"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    me = (await stranger.get("/me")).json()
    assert me["email"] == "vera@desk.test"
    assert me["session_id"] == answer.json()["session_id"]


async def test_cookie_is_secure_behind_https(database_url: str, tmp_path) -> None:
    settings = make_settings(database_url, tmp_path, public_url="https://desk.test")
    async with running(settings) as app, make_client(app) as client:
        world = World(app, app.state.database, *[None] * 3)  # type: ignore[arg-type]
        await add_person(world)
        answer = await log_in(client)
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]


async def test_wrong_logins_look_alike(world: World, stranger: Client) -> None:
    await add_person(world)
    wrong = await log_in(stranger, password="no")
    unknown = await log_in(stranger, email="nobody@desk.test")
    passwordless = await log_in(stranger, email="anna@desk.test")
    for answer in (wrong, unknown, passwordless):
        assert answer.status_code == 401
        assert answer.json() | {"request_id": ""} == wrong.json() | {"request_id": ""}
        assert answer.json()["code"] == "wrong_login"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_guessing_is_slowed_down_but_the_owner_elsewhere_is_not(world: World) -> None:
    await add_person(world)
    async with make_client(world.app) as guesser:
        for _ in range(5):
            assert (await log_in(guesser, password="no")).status_code == 401
        slowed = await log_in(guesser)
        assert slowed.status_code == 429
        assert slowed.json()["code"] == "too_many_requests"
        assert int(slowed.headers["retry-after"]) > 0
        assert (await log_in(guesser, email="other@desk.test")).status_code == 401
    async with make_client(world.app) as owner:
        owner._transport.client = ("198.51.100.1", 1)  # type: ignore[attr-defined]
        assert (await log_in(owner)).status_code == 200


def test_throttle_forgets_after_its_window_and_is_bounded() -> None:
    time = [0.0]
    guard = throttle.Throttle(clock=lambda: time[0])
    for number in range(throttle._MEMORY):
        guard.attempt(email=f"{number}@x", address=str(number))
    assert len(guard._counts) <= throttle._MEMORY
    for _ in range(5):
        guard.attempt(email="a@x", address="1.1.1.1")
    with pytest.raises(TooMany) as caught:
        guard.attempt(email="A@x", address="1.1.1.1")
    assert 0 < caught.value.fields["retry_after"] <= 901
    time[0] = 901
    guard.attempt(email="a@x", address="1.1.1.1")


async def test_changes_by_cookie_need_the_header_and_our_origin(world: World) -> None:
    anna = world.anna
    no_header = await anna.patch("/me", json={"name": "X"}, headers={"X-Otklik": ""})
    assert (no_header.status_code, no_header.json()["code"]) == (403, "csrf")
    foreign = await anna.patch("/me", json={"name": "X"}, headers={"Origin": "http://evil.test"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "csrf")
    null = await anna.patch("/me", json={"name": "X"}, headers={"Origin": "null"})
    assert null.status_code == 403
    own = await anna.patch("/me", json={"name": "Anya"}, headers={"Origin": "http://desk.test"})
    assert own.status_code == 200
    assert (await anna.get("/me", headers={"X-Otklik": ""})).json()["name"] == "Anya"


async def test_login_from_a_foreign_page_is_refused(world: World, stranger: Client) -> None:
    await add_person(world)
    answer = await stranger.post(
        "/login",
        json={"email": "vera@desk.test", "password": PASSWORD},
        headers={"Origin": "http://evil.test"},
    )
    assert answer.json()["code"] == "csrf"


async def test_logout_ends_this_session_only(world: World) -> None:
    other = await world.sign_in(world.anna.agent_id)
    assert (await world.anna.post("/logout")).status_code == 204
    assert (await world.anna.get("/me")).status_code == 401
    assert (await other.get("/me")).status_code == 200


async def test_logout_everywhere_keeps_this_one_and_is_in_the_log(world: World) -> None:
    other = await world.sign_in(world.anna.agent_id)
    assert (await world.anna.post("/logout-everywhere")).status_code == 204
    assert (await other.get("/me")).status_code == 401
    assert (await world.anna.get("/me")).status_code == 200
    row = await world.database.raw.fetchrow("select type, agent_id from facts order by id desc limit 1")
    assert (row["type"], row["agent_id"]) == ("agent.changed", world.anna.agent_id)


async def test_session_expires_and_slides(world: World) -> None:
    async def age(**values) -> None:
        async with world.database.transaction() as session:
            query = update(LoginSession).where(LoginSession.agent_id == world.anna.agent_id)
            await session.execute(query.values(**values))

    await age(seen_at=now() - timedelta(minutes=6), expires_at=now() + timedelta(minutes=1))
    assert (await world.anna.get("/me")).status_code == 200
    async with world.database.transaction() as session:
        ends = await session.scalar(
            select(LoginSession.expires_at).where(LoginSession.agent_id == world.anna.agent_id)
        )
    assert ends > now() + timedelta(days=29)
    await age(expires_at=now() - timedelta(seconds=1))
    assert (await world.anna.get("/me")).json()["code"] == "unauthenticated"


async def test_own_password_change_ends_other_sessions(world: World, stranger: Client) -> None:
    await add_person(world)
    await log_in(stranger)
    stranger.headers["X-Otklik"] = "1"
    async with make_client(world.app) as other:
        await log_in(other)
        wrong = await stranger.patch("/me", json={"password": {"current": "no", "new": "longer one"}})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "password.current")
        right = await stranger.patch("/me", json={"password": {"current": PASSWORD, "new": "longer one"}})
        assert right.status_code == 200, right.text
        assert (await other.get("/me")).status_code == 401
        assert (await log_in(other, password="longer one")).status_code == 200
    assert (await stranger.get("/me")).status_code == 200


async def test_passwords_are_hashed_with_argon2(world: World) -> None:
    await add_person(world)
    stored = await world.database.raw.fetchval(
        "select password_hash from agents where email = 'vera@desk.test'"
    )
    assert stored.startswith("$argon2id$")
