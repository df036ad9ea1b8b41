"""Many processes on one database: killed in turn, restarted in turn, and nobody at the desk can tell."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.processes import Keeper
from tests.helpers import eventually
from tests.live.console import Console, cursor_of, quiet

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
PEOPLE = 5


class Traffic:
    """Customers write at the platform, an agent answers and looks around; each text is told apart."""

    numbers = count(1)

    def __init__(self, cluster: Cluster, *, insist: bool) -> None:
        self.cluster = cluster
        self.call = cluster.balancer.insist if insist else cluster.balancer.call
        self.written: defaultdict[int, list[str]] = defaultdict(list)
        self.answered: list[str] = []
        self.bad: list[str] = []

    async def customers(self) -> None:
        while True:
            number = next(self.numbers)
            who, text = 100 + number % PEOPLE, f"in {number:05}"
            self.cluster.vk.customer_writes(user_id=who, text=text, name=f"Person {who}")
            self.written[who].append(text)
            await asyncio.sleep(0.05)

    async def agent(self) -> None:
        while True:
            found = await self._well("GET", "/dialogs?status=open&limit=50")
            for dialog in found["items"] if found else ():
                text = f"out {next(self.numbers):05}"
                body = {"client_key": uuid4().hex, "text": text}
                if await self._well("POST", f"/dialogs/{dialog['id']}/messages", **body):
                    self.answered.append(text)
                await asyncio.sleep(0.05)

    async def _well(self, method: str, path: str, **body: Any) -> Any:
        try:
            answer = await self.call(method, path, **body)
        except Exception as error:
            self.bad.append(f"{method} {path}: {error!r}")
            return None
        if not answer.is_success:
            self.bad.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        return answer.json()


@asynccontextmanager
async def traffic(cluster: Cluster, keepers: list[Keeper], *, insist: bool) -> AsyncIterator[Traffic]:
    """Traffic as long as the block; the consoles stay until the caller lets them go."""
    load = Traffic(cluster, insist=insist)
    work = [load.customers(), load.agent(), load.agent(), cluster.balancer.watch(), cluster.balancer.knock()]
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await eventually(lambda: load.answered, 60)
        yield load
    finally:
        for task in tasks[:1]:
            task.cancel()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def consoles(cluster: Cluster) -> AsyncIterator[list[Keeper]]:
    keepers = await cluster.keepers()
    tasks = [asyncio.create_task(keeper.run()) for keeper in keepers]
    try:
        await eventually(lambda: all(keeper.console.lane for keeper in keepers), 60)
        yield keepers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for keeper in keepers:
            await keeper.console.cut()


async def nothing_lost(cluster: Cluster, load: Traffic, keepers: list[Keeper], start: str) -> None:
    """In the threads, at the platform and on each console: all of it, once, in order."""
    desk = cluster.desk
    await eventually(lambda: settled(cluster, load), 60, every=0.2)
    rows = await desk.rows("select chat, direction, text, status from messages order by seq")
    for who, texts in load.written.items():
        heard = [row["text"] for row in rows if row["direction"] == "in" and row["chat"] == str(who)]
        assert [text for text in heard if text in set(texts)] == texts, "lost, doubled or out of order"
    status = {row["text"]: row["status"] for row in rows if row["direction"] == "out"}
    posted = Counter(row["text"] for row in rows if row["direction"] == "out")
    assert max(posted.values()) == 1
    assert posted.keys() >= set(load.answered)
    left = Counter(message.text for message in cluster.vk.sent)
    assert max(left.values()) == 1, "the platform got a message twice"
    assert {text for text, state in status.items() if state != "unknown"} == left.keys() - {
        text for text, state in status.items() if state == "unknown"
    }
    late = await Console(desk.anna, cluster.web[0].address, start).connect()
    await quiet(desk.anna, late, *(keeper.console for keeper in keepers))
    for one, other in (keepers[:2], keepers[2:]):
        assert one.console.state == other.console.state
        assert one.console.facts == other.console.facts
        assert len(set(one.console.facts)) == len(one.console.facts)
    assert late.facts == keepers[0].console.facts
    assert late.state == keepers[0].console.state
    await late.leave()


async def settled(cluster: Cluster, load: Traffic) -> bool:
    heard = await cluster.desk.value("select count(*) from messages where direction = 'in'")
    waiting = await cluster.desk.value(
        "select (select count(*) from messages where status in ('queued', 'sending'))"
        " + (select count(*) from inbound where state = 'new')"
    )
    return waiting == 0 and heard == sum(map(len, cluster.vk.messages.values())) - len(cluster.vk.sent)


async def test_who_is_there_and_who_types_is_known_in_every_process(cluster: Cluster) -> None:
    desk = cluster.desk
    cluster.vk.customer_writes(user_id=100, text="hello", name="Person 100")
    (dialog,) = await eventually(lambda: desk.rows("select id::text from dialogs"), 60)
    anna = await Console(desk.anna, cluster.web[0].address, await cursor_of(desk.anna)).connect()
    admin_client = desk.world.admin
    admin = await Console(admin_client, cluster.web[1].address, await cursor_of(admin_client)).connect()
    await eventually(lambda: there(anna, admin_client.id) and there(admin, desk.anna.id), 60)
    await anna.say(lane="typing", dialog_id=dialog["id"], note=False)
    typing = {"lane": "typing", "dialog_id": dialog["id"], "agent_id": desk.anna.id, "note": False}
    await eventually(lambda: typing in admin.lane)
    for console in (anna, admin):
        await console.say(lane="viewing", dialog_id=dialog["id"])
    both = sorted([desk.anna.id, admin_client.id])
    await eventually(lambda: any(said.get("agent_ids") == both for said in anna.lane))
    await asyncio.gather(anna.leave(), admin.leave())


def there(console: Console, agent_id: str) -> bool:
    shown = [said["agents"] for said in console.lane if said["lane"] == "presence"]
    return bool(shown) and agent_id in shown[-1]


async def test_killed_in_turn_under_load(cluster: Cluster) -> None:
    start = await cursor_of(cluster.desk.anna)
    async with consoles(cluster) as keepers:
        async with traffic(cluster, keepers, insist=True) as load:
            holder = await eventually(cluster.holder)
            assert holder
            await longest_rest(cluster)
            heard = await cluster.desk.value("select count(*) from messages where direction = 'in'")
            holder.kill()
            for member in cluster.web:
                member.kill()
                await asyncio.sleep(0.2)
                member.start()
                await member.ready()
            await eventually(lambda: moved(cluster, heard), 60)
            holder.start()
        await leases_end(cluster)
        await nothing_lost(cluster, load, keepers, start)
        assert all(keeper.codes for keeper in keepers), "some console was never cut"


async def longest_rest(cluster: Cluster) -> None:
    """However the holder dies: until then, and a second, nobody pulls."""
    left = "select extract(epoch from held_until - clock_timestamp()) from channel_cursors"
    assert 0 < await cluster.desk.value(left) < 9


async def moved(cluster: Cluster, heard: int) -> bool:
    """The other worker pulls, and what was written meanwhile is there."""
    now = await cluster.desk.value("select count(*) from messages where direction = 'in'")
    return bool(await cluster.holder()) and now > heard + 20


async def leases_end(cluster: Cluster) -> None:
    """As if minutes had passed: what the dead was sending may be taken by others."""
    await cluster.desk.db.raw.execute(
        "update messages set next_attempt_at = now() - interval '1 s' where status = 'sending'"
    )


async def test_restarted_in_turn_under_load(cluster: Cluster) -> None:
    """SIGTERM one after the other: no request fails, no frame is lost, no lease is waited for."""
    start = await cursor_of(cluster.desk.anna)
    async with consoles(cluster) as keepers:
        async with traffic(cluster, keepers, insist=False) as load:
            knocked, refused = cluster.balancer.knocked, cluster.balancer.refused
            for member in (*cluster.web, *cluster.workers):
                await member.stop()
                assert await cluster.holder() is not member or member.program == "serve"
                held = "select holder from channel_cursors where holder like $1"
                assert not await cluster.desk.rows(held, f"%-{member.pid}-%"), "the lease was kept"
                member.start()
                await member.ready()
            await eventually(lambda: len(load.answered) > 20, 60)
        assert load.bad == []
        assert cluster.balancer.knocked > knocked
        assert cluster.balancer.refused == refused, "a server stopped before others could know that it goes"
        await nothing_lost(cluster, load, keepers, start)
        assert {code for keeper in keepers for code in keeper.codes} == {1012}
        unsure = await cluster.desk.rows("select status from messages where status = 'unknown'")
        assert unsure == []
