"""Channels: connected only after a real call, secrets sealed, changed, paused, removed."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.core.facts import SYSTEM
from channels import accounts, drafts, registry
from channels.base import Unauthorized
from tests.api.conftest import World, channel_of, serve

SECRET = "a-very-secret-signing-key"


class Callback:
    """A service with a callback, as the API channel calls it."""

    def __init__(self) -> None:
        self.status = 200
        self.signatures: list[str] = []
        self.url = ""

    async def answer(self, request: Request) -> JSONResponse:
        self.signatures.append(request.headers.get("x-otklik-signature", ""))
        return JSONResponse({}, status_code=self.status)


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    service = Callback()
    app = Starlette(routes=[Route("/callback", service.answer, methods=["POST"])])
    async with serve(app) as url:
        service.url = f"{url}/callback"
        yield service


def body(callback: Callback, **more: object) -> dict[str, object]:
    settings = {"callback_url": callback.url, "signing_secret": SECRET, "allow_private_urls": True}
    return {"kind": "api", "name": "Service", "settings": settings} | more


async def test_connecting_calls_the_platform_and_seals_secrets(world: World, callback: Callback) -> None:
    made = await world.admin.post("/channels", json=body(callback, team_ids=[str(world.sales)]))
    assert made.status_code == 201, made.text
    assert len(callback.signatures) == 1
    shown = made.json()
    assert shown["state"] == "active"
    assert shown["team_ids"] == [str(world.sales)]
    assert shown["capabilities"]["deduplicates"] is True
    assert shown["settings"]["callback_url"] == callback.url
    assert shown["webhook_url"].startswith("http://desk.test/hooks/")
    assert SECRET not in made.text
    row = await world.database.raw.fetchrow(
        "select settings::text, secrets, info::text from channels where name = 'Service'"
    )
    assert SECRET not in row["settings"] + row["info"]
    assert SECRET.encode() not in row["secrets"]
    last = await world.database.raw.fetchrow("select type, channel_id from facts order by id desc limit 1")
    assert (last["type"], str(last["channel_id"])) == ("channel.created", shown["id"])


async def test_refused_accounts_are_not_saved(world: World, callback: Callback) -> None:
    callback.status = 401
    refused = await world.admin.post("/channels", json=body(callback))
    assert (refused.status_code, refused.json()["code"]) == (400, "channel_refused"), refused.text
    assert refused.json()["detail"]
    assert SECRET not in refused.text
    gone = body(callback)
    gone["settings"] = {"callback_url": "http://127.0.0.1:9/", "allow_private_urls": True}
    away = await world.admin.post("/channels", json=gone)
    assert away.json()["code"] == "channel_refused"
    assert len((await world.admin.get("/channels")).json()) == 1


async def test_only_administrators_connect_and_see_settings(world: World, callback: Callback) -> None:
    assert (await world.lead.post("/channels", json=body(callback))).status_code == 403
    assert callback.signatures == []
    for path in ("pause", "resume", "check"):
        assert (await world.anna.post(f"/channels/{world.chat}/{path}")).status_code == 403
    assert (await world.anna.delete(f"/channels/{world.chat}")).status_code == 403
    assert (await world.anna.patch(f"/channels/{world.chat}", json={"name": "X"})).status_code == 403
    seen = (await world.anna.get(f"/channels/{world.chat}")).json()
    assert (seen["settings"], seen["webhook_url"]) == (None, None)
    assert [channel["id"] for channel in (await world.boris.get("/channels")).json()] == [str(world.chat)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"name": ""}, "name"),
        ({"settings": {"callback_url": "ftp://x"}}, "settings.callback_url"),
        ({"settings": {"unknown": 1}}, "settings.unknown"),
        ({"settings": {"callback_url": "http://x/\x00"}}, "settings"),
        ({"settings": {"http": {"timeout": -1}}}, "settings.http.timeout"),
        ({"settings": []}, "settings"),
        ({"team_ids": [str(uuid4())]}, "team_ids"),
    ],
)
async def test_bad_settings_are_refused_by_field(
    world: World, callback: Callback, change: dict[str, object], field: str
) -> None:
    answer = await world.admin.post("/channels", json=body(callback) | change)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert SECRET not in answer.text
    assert callback.signatures == []


async def test_change_keeps_secrets_that_are_left_empty(world: World, callback: Callback) -> None:
    id = (await world.admin.post("/channels", json=body(callback))).json()["id"]
    changed = await world.admin.patch(
        f"/channels/{id}",
        json={"name": "Renamed", "settings": {"signing_secret": "", "http": {"timeout": 7}}},
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["settings"]["http"]["timeout"] == 7
    assert changed.json()["settings"]["callback_url"] == callback.url
    channel = await channel_of(world, UUID(id))
    draft = await drafts.redraft(channel, world.app.state.box)
    assert draft.secrets()["signing_secret"] == SECRET
    assert draft.webhook_secret
    callback.status = 401
    refused = await world.admin.patch(f"/channels/{id}", json={"settings": {"signing_secret": "other"}})
    assert refused.json()["code"] == "channel_refused"
    draft = await drafts.redraft(await channel_of(world, UUID(id)), world.app.state.box)
    assert draft.secrets()["signing_secret"] == SECRET
    only_name = await world.admin.patch(f"/channels/{id}", json={"name": "Without a call"})
    assert only_name.json()["name"] == "Without a call"


async def test_one_account_is_connected_once(world: World) -> None:
    channel = await channel_of(world, world.chat)

    async def again() -> None:
        async with world.database.transaction() as session:
            draft = await drafts.draft(uuid4(), kind="api", name="Twin", settings={})
            info = accounts.AccountInfo(title="Twin", external_id=channel.external_id)
            await accounts.add(session, world.app.state.box, draft, info, team_ids=[], actor=SYSTEM)

    with pytest.raises(accounts.ChannelExists) as caught:
        await again()
    assert (caught.value.status, caught.value.code) == (409, "channel_exists")


async def test_pause_resume_and_check(world: World, callback: Callback) -> None:
    id = (await world.admin.post("/channels", json=body(callback))).json()["id"]
    paused = await world.admin.post(f"/channels/{id}/pause")
    assert paused.json()["state"] == "paused"
    checked = await world.admin.post(f"/channels/{id}/check")
    assert checked.json()["state"] == "paused"
    callback.status = 401
    refused = await world.admin.post(f"/channels/{id}/resume")
    assert refused.json()["code"] == "channel_refused"
    seen = (await world.anna.get(f"/channels/{id}")).json()
    assert seen["state"] == "paused"
    assert seen["error"] == refused.json()["detail"]
    callback.status = 200
    resumed = (await world.admin.post(f"/channels/{id}/resume")).json()
    assert (resumed["state"], resumed["error"]) == ("active", None)


async def test_refused_credentials_stop_a_channel_until_they_work(world: World, callback: Callback) -> None:
    id = UUID((await world.admin.post("/channels", json=body(callback))).json()["id"])
    await accounts.note_failure(world.database, id, Unauthorized("The key was revoked.", code="revoked"))
    seen = (await world.anna.get(f"/channels/{id}")).json()
    assert (seen["state"], seen["error"], seen["error_code"]) == (
        "stopped",
        "The key was revoked.",
        "revoked",
    )
    before = await world.database.raw.fetchval("select count(*) from facts")
    await accounts.note_failure(world.database, id, Unauthorized("The key was revoked.", code="revoked"))
    assert await world.database.raw.fetchval("select count(*) from facts") == before
    assert (await world.admin.post(f"/channels/{id}/check")).json()["state"] == "active"


async def test_serving_teams_change(world: World) -> None:
    both = [str(world.sales), str(world.support)]
    answer = await world.admin.patch(f"/channels/{world.chat}", json={"team_ids": both})
    assert sorted(answer.json()["team_ids"]) == sorted(both)
    unknown = await world.admin.patch(f"/channels/{world.chat}", json={"team_ids": [str(uuid4())]})
    assert unknown.status_code == 400


async def test_only_an_unused_channel_can_be_removed(world: World) -> None:
    spare = await world.add_channel("Spare", team_ids=())
    assert (await world.admin.delete(f"/channels/{spare}")).status_code == 204
    assert (await world.admin.get(f"/channels/{spare}")).status_code == 404
    source = await world.program(world.admin.agent_id, "inbound")
    event = {"event_id": "1", "sender": {"external_id": "42"}, "text": "Hi"}
    assert (await source.post(f"/channels/{world.chat}/inbound", json=event)).status_code == 202
    kept = await world.admin.delete(f"/channels/{world.chat}")
    assert (kept.status_code, kept.json()["code"]) == (409, "conflict")


async def test_kinds_describe_their_settings_and_mark_secrets(world: World) -> None:
    assert (await world.lead.get("/channels/kinds")).status_code == 403
    kinds = {kind["kind"]: kind for kind in (await world.admin.get("/channels/kinds")).json()}
    assert set(kinds) == set(registry.ADAPTERS)
    assert kinds["api"]["settings_schema"]["properties"]["signing_secret"]["writeOnly"] is True
    assert kinds["webchat"]["capabilities"]["inbound"] == ["push"]


async def test_site_chat_shows_its_embed_code(world: World) -> None:
    id = await world.add_channel("Site", team_ids=(world.support,), kind="webchat")
    shown = (await world.admin.get(f"/channels/{id}")).json()
    assert f'data-channel="{id}"' in shown["embed_code"]
    assert "http://desk.test/widget/loader.js" in shown["embed_code"]


async def test_adapters_are_opened_once_until_their_settings_change(world: World) -> None:
    state = world.app.state
    channel = await channel_of(world, world.chat)
    first, again = await asyncio.gather(
        accounts.open(channel, state.box, state.settings), accounts.open(channel, state.box, state.settings)
    )
    assert first is again
    await world.admin.patch(f"/channels/{world.chat}", json={"settings": {"http": {"timeout": 5}}})
    fresh = await accounts.open(await channel_of(world, world.chat), state.box, state.settings)
    assert fresh is not first
    assert fresh is await accounts.open(await channel_of(world, world.chat), state.box, state.settings)
