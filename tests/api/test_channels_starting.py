"""Preparing the transport of an activated channel: repeated until it succeeds."""

from typing import Any
from uuid import UUID

import pytest

from channels import starting
from channels.api.adapter import ApiAdapter
from channels.base import RetryLater, Unauthorized
from tests.api.conftest import World, channel_of
from tests.helpers import eventually
from tests.loops.conftest import working


class Platform:
    """Says what the next starts come to; counts them."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.calls = 0

    async def start(self, _adapter: ApiAdapter) -> None:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, world: World) -> Platform:
    platform = Platform()
    monkeypatch.setattr(ApiAdapter, "start", lambda adapter: platform.start(adapter))
    return platform


async def connect(world: World) -> UUID:
    made = await world.admin.post("/channels", json={"kind": "api", "name": "Shop"})
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"])


async def due(world: World, channel_id: UUID) -> Any:
    query = "select start_due_at - now() from channels where id = $1"
    return await world.database.raw.fetchval(query, channel_id)


async def turn(world: World, channel_id: UUID) -> bool:
    """One turn of the worker's loop, when the pause is over."""
    await world.database.raw.execute(
        "update channels set start_due_at = now() where start_due_at is not null"
    )
    state = world.app.state
    return await starting.turn(state.database, state.box, state.settings)


async def test_a_start_that_succeeds_is_not_repeated(world: World, platform: Platform) -> None:
    channel_id = await connect(world)
    assert await due(world, channel_id) is None
    assert not await turn(world, channel_id)
    assert platform.calls == 1


@pytest.mark.parametrize("fault", [RetryLater("Away.", code="away"), ValueError("a mistake")])
async def test_a_start_is_repeated_later_and_later(
    world: World, platform: Platform, fault: Exception
) -> None:
    platform.faults = [fault, fault, fault]
    channel_id = await connect(world)
    first = (await due(world, channel_id)).total_seconds()
    assert 0 < first < 2
    assert await turn(world, channel_id)
    assert await turn(world, channel_id)
    assert (await due(world, channel_id)).total_seconds() > 2
    assert await turn(world, channel_id)
    assert platform.calls == 4
    channel = await channel_of(world, channel_id)
    assert (channel.start_due_at, channel.start_attempts, channel.error) == (None, 0, None)
    assert not await turn(world, channel_id)


async def test_refused_credentials_stop_it(world: World, platform: Platform) -> None:
    platform.faults = [Unauthorized("Revoked.", code="unauthorized")]
    channel_id = await connect(world)
    assert (await channel_of(world, channel_id)).state == "stopped"
    assert not await turn(world, channel_id)
    assert (await world.admin.post(f"/channels/{channel_id}/resume")).json()["state"] == "active"
    assert platform.calls == 2


async def test_a_paused_channel_waits(world: World, platform: Platform) -> None:
    platform.faults = [RetryLater("Away.", code="away")]
    channel_id = await connect(world)
    await world.admin.post(f"/channels/{channel_id}/pause")
    assert not await turn(world, channel_id)


async def test_a_worker_starts_what_a_dead_process_left(world: World, platform: Platform) -> None:
    channel_id = await connect(world)
    await world.database.raw.execute(
        "update channels set start_due_at = now() - interval '1 second' where id = $1", channel_id
    )
    async with working(world.database, world.app.state.settings):
        await eventually(lambda: platform.calls == 2)
        await eventually(lambda: started(world, channel_id))


async def started(world: World, channel_id: UUID) -> bool:
    return await due(world, channel_id) is None
