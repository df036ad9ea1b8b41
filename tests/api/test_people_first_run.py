"""The first start: whoever comes first makes the administrator, the team and the site chat."""

import asyncio

from app import first_run
from app.core.db import Database
from tests.api.conftest import make_client, make_settings, running


async def ensure(db: Database) -> tuple[str, str] | None:
    async with db.transaction() as session:
        return await first_run.ensure(session)


async def test_five_first_starts_make_one_desk(db: Database) -> None:
    logins = [login for login in await asyncio.gather(*(ensure(db) for _ in range(4))) if login]
    assert len(logins) == 1
    assert logins[0][0] == "admin@otklik.local"
    for table in ("agents", "teams", "team_members", "channels", "channel_teams", "installation"):
        assert await db.raw.fetchval(f"select count(*) from {table}") == 1, table
    assert await ensure(db) is None


async def test_the_newcomer_signs_in_and_has_a_site_chat(db: Database, tmp_path) -> None:
    login = await ensure(db)
    assert login is not None
    async with running(make_settings(db.url, tmp_path)) as app, make_client(app) as client:
        answer = await client.post("/login", json={"email": login[0], "password": login[1]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["must_change_password"] is True
        assert answer.json()["role"] == "admin"
        client.headers["X-Otklik"] = "1"
        change = {"password": {"current": login[1], "new": "a password of his own"}}
        assert (await client.patch("/me", json=change)).status_code == 200
        (channel,) = (await client.get("/channels")).json()
        assert (channel["kind"], channel["state"], len(channel["team_ids"])) == ("webchat", "active", 1)
        checked = await client.post(f"/channels/{channel['id']}/check")
        assert checked.status_code == 200, checked.text
