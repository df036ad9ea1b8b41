"""Webhooks that come together are stored together: each answered for itself, after the commit, nothing lost,
nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.web.intake import Intake
from channels.drafts import Draft
from channels.inbound import Given, Raw
from channels.models import Channel
from channels.registry import load
from tests.api.conftest import World
from tests.helpers import eventually


class Hook:
    """A VK channel by webhook."""

    def __init__(self, world: World, key: str) -> None:
        self.world, self.key = world, key

    def body(self, number: int, *, person: int = 7, **extra: Any) -> dict[str, Any]:
        message: dict[str, Any] = {"from_id": person, "peer_id": person, "id": number}
        message |= {
            "conversation_message_id": number,
            "text": str(number),
            "date": 1_700_000_000,
            "attachments": [],
        }
        body = {"type": "message_new", "group_id": 1, "event_id": f"e{number}", "secret": "s", "v": "5.199"}
        return body | {"object": {"message": message}} | extra

    def call(self, number: int, **values: Any) -> "asyncio.Task[httpx.Response]":
        post = self.world.admin.post(f"/hooks/{self.key}", json=self.body(number, **values))
        return asyncio.create_task(post)


async def hook(world: World) -> Hook:
    """A channel whose door is known already."""
    key = uuid4().hex
    values = load("vk").Settings.model_validate({"token": "t", "transport": "webhook", "group_id": 1})
    draft = Draft(uuid4(), "vk", "vk", values, webhook_key=key, webhook_secret="s")
    async with world.database.transaction() as session:
        channel = Channel(kind="vk", name="vk", external_id=key, webhook_key=key)
        channel.settings, channel.secrets = draft.public(), world.app.state.box.seal(draft.secrets())
        session.add(channel)
    found = Hook(world, key)
    typing = found.call(0, type="message_typing_state", object={"from_id": 7, "state": "typing"})
    assert (await typing).status_code == 200
    await eventually(lambda: _settled(world))
    return found


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls each statement stored."""
    sizes: list[int] = []
    store = Intake.store

    async def noted(self: Intake, given: Sequence[Given]) -> list[list[Raw]]:
        sizes.append(len(given))
        return await store(self, given)

    monkeypatch.setattr(Intake, "store", noted)
    return sizes


@asynccontextmanager
async def held(world: World, opener: Hook) -> AsyncIterator[None]:
    """Whatever comes in meanwhile is one batch, when it is over; before it there is one of the opener."""
    raw = world.database.raw
    taken = [await raw.acquire() for _ in range(world.database.pool_size)]
    try:
        first = opener.call(1_000_000)
        await eventually(lambda: world.app.state.intake.batches.busy)
        yield
    finally:
        for connection in taken:
            await raw.release(connection)
    assert (await first).status_code == 200


async def waiting(world: World, count: int) -> None:
    await eventually(lambda: world.app.state.intake.batches.waiting == count)


async def texts(world: World) -> list[str]:
    """Messages in the thread, of those that came together."""
    rows = await world.database.raw.fetch("select text from messages order by seq")
    return [row["text"] for row in rows if row["text"] != "1000000"]


async def test_what_comes_together_is_stored_together_in_its_order(world: World, batches: list[int]) -> None:
    vk = await hook(world)
    async with held(world, vk):
        calls = []
        for number in range(1, 31):  # a person's messages one after the other
            calls.append(vk.call(number, person=1 + number % 3))
            await waiting(world, number)
    assert {(await call).status_code for call in calls} == {200}
    assert batches[-2:] == [1, 30]
    rows = await world.database.raw.fetch("select key from inbound order by id")
    assert [row["key"] for row in rows][-30:] == [f"e{number}" for number in range(1, 31)]
    await eventually(lambda: _count(world, 30))
    for person in range(3):
        said = [text for text in await texts(world) if int(text) % 3 == person]
        assert said == [str(number) for number in range(1, 31) if number % 3 == person]


async def _count(world: World, count: int) -> Any:
    return len(await texts(world)) == count


async def _settled(world: World) -> Any:
    return not await world.database.raw.fetchval("select count(*) from inbound where state = 'new'")


async def test_no_call_is_answered_before_its_batch_is_committed(world: World) -> None:
    vk = await hook(world)
    async with world.database.engine.connect() as other:
        await other.exec_driver_sql("lock table inbound in share mode")
        calls = [vk.call(number) for number in range(1, 6)]
        await eventually(lambda: _blocked(world))
        assert not any(call.done() for call in calls)
        await other.rollback()
    assert {(await call).status_code for call in calls} == {200}
    assert await world.database.raw.fetchval("select count(*) from inbound") == 6


async def _blocked(world: World) -> Any:
    query = "select pid from pg_locks where not granted and relation = 'inbound'::regclass"
    return await world.database.raw.fetchval(query)


async def test_the_same_event_twice_in_a_batch_is_stored_once(world: World, batches: list[int]) -> None:
    vk, beside = await hook(world), await hook(world)
    async with held(world, vk):
        calls = [vk.call(1), vk.call(2), vk.call(1), vk.call(1), beside.call(1, person=8)]
        await waiting(world, len(calls))
    assert {(await call).status_code for call in calls} == {200}
    assert batches[-1] == len(calls)
    await eventually(lambda: _count(world, 3))  # another channel's event of that id is another event
    assert sorted(await texts(world)) == ["1", "1", "2"]
    assert await world.database.raw.fetchval("select count(*) from inbound") == 2 + 1 + 3


async def test_a_call_that_is_refused_leaves_the_others_of_its_batch_alone(world: World) -> None:
    vk, gone = await hook(world), await hook(world)
    async with held(world, vk):
        calls = [vk.call(1, person=1), gone.call(2, person=2), vk.call(3, person=3)]
        await waiting(world, len(calls))
        async with world.database.engine.begin() as other:
            await other.exec_driver_sql(f"delete from channels where webhook_key = '{gone.key}'")
    answers = [await call for call in calls]
    assert [answer.status_code for answer in answers] == [200, 409, 200]
    await eventually(lambda: _count(world, 2))
    assert sorted(await texts(world)) == ["1", "3"]


async def test_a_caller_who_goes_away_leaves_the_others_of_his_batch_alone(world: World) -> None:
    vk = await hook(world)
    async with held(world, vk):
        calls = [vk.call(number, person=number) for number in (1, 2, 3)]
        await waiting(world, len(calls))
        calls[1].cancel()
        await asyncio.wait([calls[1]])
    assert [(await call).status_code for call in (calls[0], calls[2])] == [200, 200]
    assert (await vk.call(2, person=2)).status_code == 200  # the platform repeats it
    world.app.state.inbox_wake()  # nobody was there to say that there is something
    await eventually(lambda: _count(world, 3))
    assert sorted(await texts(world)) == ["1", "2", "3"]


async def test_a_database_that_goes_away_amid_a_batch_costs_a_repetition(world: World) -> None:
    vk = await hook(world)
    async with world.database.engine.connect() as other:
        await other.exec_driver_sql("lock table inbound in share mode")
        calls = [vk.call(number, person=number) for number in range(1, 6)]
        pid = await eventually(lambda: _blocked(world))
        await world.database.raw.execute("select pg_terminate_backend($1)", pid)
        await eventually(lambda: any(call.done() for call in calls))
        await other.rollback()
    answers = [await call for call in calls]
    lost = [answer for answer in answers if answer.status_code != 200]
    assert lost
    assert {answer.status_code for answer in lost} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in lost)
    stored = await world.database.raw.fetchval("select count(*) from inbound")
    assert stored == 1 + len(calls) - len(lost)
    again = [vk.call(number, person=number) for number in range(1, 6)]
    assert {(await call).status_code for call in again} == {200}
    await eventually(lambda: _count(world, 5))
    assert sorted(await texts(world)) == ["1", "2", "3", "4", "5"]


async def test_a_large_one_is_stored_by_itself(world: World, batches: list[int]) -> None:
    vk = await hook(world)
    async with held(world, vk):
        calls = [vk.call(1, person=1), vk.call(2, person=2, padding="x" * 100_000), vk.call(3, person=3)]
        await waiting(world, 2)
    assert {(await call).status_code for call in calls} == {200}
    assert sorted(batches[-3:]) == [1, 1, 2]


async def test_one_that_cannot_be_understood_leaves_the_others_of_its_batch_alone(world: World) -> None:
    vk = await hook(world)
    async with held(world, vk):
        calls = [vk.call(1, person=1), vk.call(2, person=2, object={}), vk.call(3, person=3)]
        await waiting(world, len(calls))
    assert {(await call).status_code for call in calls} == {200}
    await eventually(lambda: _count(world, 2))
    assert sorted(await texts(world)) == ["1", "3"]
    await eventually(lambda: _state(world, "e2", "quarantined"))


async def _state(world: World, key: str, state: str) -> Any:
    found = await world.database.raw.fetchval("select state from inbound where key = $1", key)
    return found == state
