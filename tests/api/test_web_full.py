"""When it is full: whoever comes beyond the bounds is told at once to come again, and then is served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from app.core import db
from app.core.config import Settings
from app.core.db import Database
from app.web import admission, intake, limits, problems, sync
from channels.drafts import Draft
from channels.models import Channel
from channels.registry import load
from tests.api.conftest import World, make_settings, serve
from tests.helpers import eventually

MOST = 3


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path, max_waiting=MOST, max_sockets=MOST)


@asynccontextmanager
async def full_pools(database: Database) -> AsyncIterator[None]:
    """Somebody holds all connections."""
    engine = [await database.engine.connect() for _ in range(database.pool_size)]
    raw = [await database.raw.acquire() for _ in range(database.pool_size)]
    try:
        yield
    finally:
        for connection in engine:
            await connection.close()
        for connection in raw:
            await database.raw.release(connection)


async def hook(world: World) -> Callable[[], Any]:
    """A VK channel by webhook; gives who calls it with ever new messages."""
    key = uuid4().hex
    values = load("vk").Settings.model_validate({"token": "t", "transport": "webhook", "group_id": 1})
    draft = Draft(uuid4(), "vk", "vk", values, webhook_key=key, webhook_secret="s")
    async with world.database.transaction() as session:
        channel = Channel(kind="vk", name="vk", external_id="1", webhook_key=key)
        channel.settings, channel.secrets = draft.public(), world.app.state.box.seal(draft.secrets())
        session.add(channel)

    def call() -> Any:
        number = uuid4().int % 10**9
        message = {"from_id": 7, "peer_id": 7, "id": number, "conversation_message_id": number, "text": "x"}
        body = {"type": "message_new", "group_id": 1, "event_id": uuid4().hex, "secret": "s", "v": "5.199"}
        body["object"] = {"message": message | {"date": 1_700_000_000, "attachments": []}}
        return world.admin.post(f"/hooks/{key}", json=body)

    return call


async def test_more_than_may_wait_are_told_to_come_again(world: World) -> None:
    call = await hook(world)
    assert (await call()).status_code == 200
    async with full_pools(world.database):
        waiting = [asyncio.create_task(world.admin.get("/me")) for _ in range(MOST)]
        called = [asyncio.create_task(call()) for _ in range(MOST)]
        await asyncio.sleep(0)
        refused, dropped = await world.admin.get("/me"), await call()
        health = await world.admin.get("/healthz")
        assert not any(task.done() for task in (*waiting, *called))
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["content-type"] == problems.MEDIA_TYPE
    assert dropped.status_code == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 4
    assert 1 <= int(dropped.headers["retry-after"]) <= 4
    assert health.status_code == 200
    answers = await asyncio.gather(*waiting, *called)
    assert [answer.status_code for answer in answers] == [200] * 2 * MOST
    assert (await world.admin.get("/me")).status_code == 200


async def test_no_request_waits_for_a_connection_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await hook(world)
    assert (await call()).status_code == 200
    for module in (db, sync, intake):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    async with full_pools(world.database):
        world.database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]
        for answer in (await world.admin.get("/me"), await world.admin.get("/sync"), await call()):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0


async def test_large_bodies_are_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "LARGE", 1000)
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 500
        await go_on.wait()
        yield b"x" * 1500

    headers = {"Content-Length": "2000", "Content-Type": "application/json"}
    async with serve(world.app) as address, httpx.AsyncClient(base_url=address) as outside:
        coming = [
            asyncio.create_task(outside.post("/api/v1/login", content=body(), headers=headers))
            for _ in range(admission.MOST_LARGE)
        ]
        gate = (await _gates(world)).large
        await eventually(lambda: gate.inside == gate.most)
        refused = await outside.post("/api/v1/login", content=b"x" * 2000, headers=headers)
        small = await outside.get("/api/v1/me")
        go_on.set()
        answers = await asyncio.gather(*coming)
    assert refused.status_code == 503
    assert small.status_code == 401
    assert 503 not in {answer.status_code for answer in answers}
    assert gate.inside == 0


async def test_a_body_that_does_not_come_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_PATIENCE", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    call = await hook(world)
    hooked = (await call()).request.url.path
    async with serve(world.app) as address:
        for path, begun in (("/api/v1/login", b"{"), (hooked, b"{"), (hooked, b"")):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/json"
            writer.write(head.encode() + b"\r\n\r\n" + begun)
            async with asyncio.timeout(20):
                status = await reader.readline()
            writer.close()
            assert b" 408 " in status, path


async def test_a_stranger_to_a_webhook_is_told_so_before_his_body(world: World) -> None:
    async with serve(world.app) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))
        writer.write(b"POST /hooks/guessed HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(20):
            status = await reader.readline()
        writer.close()
    assert b" 404 " in status
    assert (await world.admin.post("/hooks/a%00b", json={})).status_code == 400


async def test_more_consoles_than_may_be_are_told_to_come_again(world: World) -> None:
    cursor = (await world.anna.get("/sync")).json()["cursor"]
    cookie = "; ".join(f"{name}={value}" for name, value in world.anna.cookies.items())

    async with serve(world.app) as address:
        path = f"{address.replace('http', 'ws', 1)}/api/v1/live?after={cursor}"

        async def connect() -> ClientConnection:
            return await websockets.connect(path, additional_headers={"Cookie": cookie})

        inside = [await connect() for _ in range(MOST)]
        refused = await connect()
        await refused.wait_closed()
        assert refused.close_code == admission.TRY_AGAIN
        await inside.pop().close()
        await eventually(lambda: len(world.app.state.feed.hub.connections) == MOST - 1)
        again = await connect()
        async with asyncio.timeout(10):  # whatever happened since the cursor comes before
            while "presence" not in str(await again.recv()):
                pass
        for socket in (*inside, again):
            await socket.close()


async def _gates(world: World) -> admission.Admission:
    await world.admin.get("/me")  # the layers are put together with the first request
    layer: Any = world.app.middleware_stack
    while not isinstance(layer, admission.Admission):
        layer = layer.app
    return layer


async def test_answers_of_one_dialog_do_not_queue_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialogs.messages.MOST_QUEUED", 2)
    event = {"event_id": "1", "sender": {"external_id": "7"}, "text": "Hello"}
    assert (await world.admin.post(f"/channels/{world.chat}/inbound", json=event)).status_code == 202
    dialog_id: UUID = await eventually(lambda: world.database.raw.fetchval("select id from dialogs"))
    codes = []
    for number in range(3):
        body = {"client_key": uuid4().hex, "text": str(number)}
        codes.append((await world.admin.post(f"/dialogs/{dialog_id}/messages", json=body)).status_code)
    assert codes == [201, 201, 429]
