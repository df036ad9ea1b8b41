"""A client that reconnects as fast as it can is told so; the others go on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.buckets import Rate
from app.web import door
from tests.api.conftest import World, serve
from tests.helpers import eventually
from tests.live.console import Console, cursor_of, quiet
from tests.live.test_live import write


@pytest.fixture
async def address(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    world.app.state.door.caller = Rate(20, 0.001)
    monkeypatch.setattr(door, "STRANGER", Rate(10, 0.001))
    async with serve(world.app) as address:
        yield address


async def closed(console: Console) -> int:
    await console.connect()
    await eventually(lambda: console.closed or console.lane)
    code = console.closed or 0
    if not code:
        await console.cut()
    return code


async def test_who_reconnects_all_the_time_is_refused_and_nobody_else(world: World, address: str) -> None:
    start = await cursor_of(world.anna)
    mad = Console(world.anna, address, start)
    lead = await Console(world.lead, address, start).connect()
    codes = []
    for _ in range(25):
        mad.lane.clear()
        codes.append(await closed(mad))
    assert codes == [0] * 20 + [4429] * 5
    boris = await Console(world.boris, address, start).connect()
    await write(world, "clara", "hello")
    await quiet(world.lead, lead, boris)
    assert [message["text"] for message in lead.state["message"].values()] == ["hello"]
    await asyncio.gather(lead.leave(), boris.leave())


async def test_strangers_are_counted_by_address_and_those_who_are_known_are_not(
    world: World, address: str
) -> None:
    start = await cursor_of(world.anna)
    known = Console(world.lead, address, start)
    assert await closed(known) == 0
    world.boris.cookies.clear()
    codes = []
    for number in range(14):
        stranger = Console(world.boris, address, start)
        await stranger.connect(Authorization=f"Bearer nonsense-{number}")
        codes.append(await eventually(lambda stranger=stranger: stranger.closed))
    assert codes == [4401] * 10 + [4429] * 4
    assert await closed(Console(world.anna, address, start)) == 4429
    known.lane.clear()
    assert await closed(known) == 0


async def test_an_agent_has_only_so_many_sockets(world: World, address: str) -> None:
    world.app.state.door.most = 3
    start = await cursor_of(world.anna)
    consoles = [await Console(world.anna, address, start).connect() for _ in range(3)]
    await eventually(lambda: all(console.lane for console in consoles))
    assert await closed(Console(world.anna, address, start)) == 4429
    await consoles[0].leave()
    assert await closed(Console(world.anna, address, start)) == 0
    for console in consoles[1:]:
        await console.leave()
