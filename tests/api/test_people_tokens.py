"""API tokens: scopes, owners, ends."""

from datetime import timedelta

from app.core.clock import now
from tests.api.conftest import Client, World, make_client


async def make_token(client: Client, **body: object) -> tuple[int, dict[str, object]]:
    answer = await client.post("/tokens", json={"name": "t", "scopes": ["read"]} | body)
    return answer.status_code, answer.json()


async def test_token_is_shown_once_and_works(world: World) -> None:
    status, made = await make_token(world.anna)
    assert status == 201
    async with make_client(world.app, Authorization=f"Bearer {made['token']}") as program:
        assert (await program.get("/me")).json()["id"] == world.anna.id
    listed = (await world.anna.get("/tokens")).json()
    assert [token["id"] for token in listed] == [made["id"]]
    assert "token" not in listed[0]
    stored = await world.database.raw.fetchval("select token_hash from api_tokens")
    assert str(made["token"]).encode() not in stored


async def test_scopes_hold(world: World) -> None:
    reader = await world.program(world.admin.agent_id, "read")
    assert (await reader.get("/agents")).status_code == 200
    answer = await reader.post("/teams", json={"name": "X"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    writer = await world.program(world.admin.agent_id, "read", "write")
    assert (await writer.post("/teams", json={"name": "X"})).status_code == 403
    full = await world.program(world.admin.agent_id, "read", "write", "admin")
    assert (await full.post("/teams", json={"name": "X"})).status_code == 201
    source = await world.program(world.anna.agent_id, "inbound")
    assert (await source.get("/agents")).status_code == 403
    pretender = await world.program(world.anna.agent_id, "read", "write", "admin")
    assert (await pretender.post("/teams", json={"name": "Y"})).status_code == 403


async def test_who_may_make_which_tokens(world: World) -> None:
    assert (await make_token(world.anna, scopes=["admin"]))[0] == 403
    assert (await make_token(world.anna, scopes=["inbound"]))[0] == 403
    assert (await make_token(world.anna, agent_id=world.boris.id))[0] == 403
    assert (await make_token(world.admin, agent_id=world.boris.id, scopes=["inbound"]))[0] == 201
    writer = await world.program(world.admin.agent_id, "write")
    assert (await make_token(writer, scopes=["read"]))[0] == 403
    assert (await make_token(world.anna, scopes=[]))[0] == 422
    past = (now() - timedelta(hours=1)).isoformat()
    assert (await make_token(world.anna, expires_at=past))[1]["code"] == "invalid"


async def test_revoked_and_expired_tokens_stop_at_once(world: World) -> None:
    _, made = await make_token(world.anna)
    async with make_client(world.app, Authorization=f"Bearer {made['token']}") as program:
        assert (await world.boris.delete(f"/tokens/{made['id']}")).status_code == 404
        assert (await program.get("/me")).status_code == 200
        assert (await world.anna.delete(f"/tokens/{made['id']}")).status_code == 204
        assert (await program.get("/me")).status_code == 401
    ending = await world.program(world.anna.agent_id, "read")
    await world.database.raw.execute("update api_tokens set expires_at = now() - interval '1 s'")
    assert (await ending.get("/me")).status_code == 401
    assert (await world.anna.get("/tokens")).status_code == 200


async def test_token_needs_no_csrf_header(world: World) -> None:
    program = await world.program(world.anna.agent_id, "read", "write")
    assert (await program.patch("/me", json={"name": "By program"})).status_code == 200
    assert (await program.post("/logout")).json()["code"] == "invalid"
