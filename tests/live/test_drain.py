"""A process that is to stop says so first, answers everything meanwhile, and sends its sockets elsewhere."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.web.drain import drain
from tests.api.conftest import World, serve
from tests.helpers import eventually
from tests.live.console import Console, cursor_of


@pytest.fixture
async def address(world: World) -> AsyncIterator[str]:
    async with serve(world.app) as address:
        yield address


async def test_it_says_so_before_it_goes(world: World, address: str) -> None:
    consoles = [await Console(world.anna, address, await cursor_of(world.anna)).connect() for _ in range(5)]
    await eventually(lambda: all(console.lane for console in consoles))
    hurry = False
    going = asyncio.create_task(drain(world.app, seconds=60, hurry=lambda: hurry))
    async with httpx.AsyncClient(base_url=address, cookies=world.anna.cookies) as http:
        ready = await eventually(lambda: unready(http))
        assert ready.json()["draining"] is True
        answer = await http.get("/api/v1/me")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert [console.closed for console in consoles] == [None] * 5
    hurry = True
    await going
    await eventually(lambda: [console.closed for console in consoles] == [1012] * 5)


async def unready(http: httpx.AsyncClient) -> httpx.Response | None:
    answer = await http.get("/readyz")
    return answer if answer.status_code == 503 else None


async def test_the_sockets_go_one_after_the_other(world: World, address: str) -> None:
    consoles = [await Console(world.anna, address, await cursor_of(world.anna)).connect() for _ in range(9)]
    await eventually(lambda: all(console.lane for console in consoles))
    ended: list[int] = []
    going = asyncio.create_task(drain(world.app, seconds=0.6, hurry=lambda: False))
    while not going.done():
        ended.append(sum(console.closed is not None for console in consoles))
        await asyncio.sleep(0.01)
    await eventually(lambda: all(console.closed == 1012 for console in consoles))
    assert len(set(ended)) > 2, "they went all at once"
