"""A cluster for a module: two web servers, two workers, a platform, and people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest
import pytest_asyncio

from tests.cluster.processes import Balancer, Keeper, Member
from tests.dialogs.conftest import module_database_url
from tests.dialogs.desk import Desk, open_desk
from tests.fakes.vk import FakeVk
from tests.helpers import eventually
from tests.live.console import cursor_of

__all__ = ["module_database_url"]


@dataclass
class Cluster:
    """`desk` is one more web process, in the test's own, that nobody kills."""

    desk: Desk
    web: list[Member]
    workers: list[Member]
    vk: FakeVk
    channel: str
    balancer: Balancer

    async def keepers(self) -> list[Keeper]:
        """Two consoles of each of two people, begun at different processes."""
        people = [self.desk.anna, self.desk.anna, self.desk.world.admin, self.desk.world.admin]
        webs = cycle([self.web, self.web[::-1]])
        return [Keeper(client, next(webs), await cursor_of(client)) for client in people]

    async def holder(self) -> Member | None:
        """The worker that pulls the channel."""
        name = await self.desk.value("select holder from channel_cursors")
        return next((one for one in self.workers if f"-{one.pid}-" in (name or "")), None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(open_desk(module_database_url, folder))
        settings = desk.world.app.state.settings
        members = [Member(program, settings, folder) for program in ("serve", "serve", "work", "work")]
        for member in members:
            member.start()
            stack.callback(member.kill)
        vk = await stack.enter_async_context(FakeVk(retry_unit=0.01))
        channel = await connect(desk, vk)
        await asyncio.gather(*(member.ready() for member in members))
        balancer = Balancer(members[:2], desk.anna)
        stack.push_async_callback(balancer.close)
        made = Cluster(desk, members[:2], members[2:], vk, channel, balancer)
        await eventually(made.holder, 60)
        # The fake's messages are older than the channel: only what comes after the first look is read.
        await eventually(lambda: desk.value("select value ->> 'ts' from channel_cursors"), 60)
        yield made


async def connect(desk: Desk, vk: FakeVk) -> str:
    settings: dict[str, Any] = {
        "token": vk.token,
        "transport": "poll",
        "http": {"base_url": vk.url, "timeout": 20},
    }
    body = {"kind": "vk", "name": "VK", "settings": settings, "team_ids": [str(desk.world.support)]}
    made = await desk.world.admin.post("/channels", json=body)
    assert made.status_code == 201, made.text
    id: str = made.json()["id"]
    return id
