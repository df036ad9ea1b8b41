"""A channel with very much to send, or one that hangs, and the others beside it."""

import asyncio
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.alarm import Alarm, Work
from channels.base import OutgoingMessage, Sent
from dialogs import outbox
from dialogs.lanes import Lanes
from tests.dialogs.desk import Chat, Desk
from tests.helpers import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 20_000
FEW = 100
"""Rows a look may touch; far below `MANY`, however the planner goes about it."""


_QUEUE = """
with person as (
    insert into customers (name) select 'x' from generate_series(1, $2::int / 10) returning id),
talk as (
    insert into dialogs (customer_id, channel_id) select id, $1 from person returning id, customer_id)
insert into messages (customer_id, dialog_id, channel_id, direction, status, text, send_after)
select t.customer_id, t.id, $1, 'out', 'queued', 'x', now() from talk t, generate_series(1, 10)
"""


async def queue(chat: Chat, count: int) -> None:
    """Queue ten answers in dialogs of each of `count / 10` customers."""
    await chat.desk.db.raw.execute(_QUEUE, chat.id, count)


async def rows_seen(desk: Desk, sql: str, *values: Any) -> int:
    """Rows that the statement's scans read, whether they were of use or not."""
    async with desk.db.raw.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            plan = await connection.fetchval(f"explain (analyze, format json) {sql}", *values)
        finally:
            await transaction.rollback()
    return _rows(orjson.loads(plan)[0]["Plan"])


def _rows(node: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in node and "Scan" in node["Node Type"]:
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        own = round((read + node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"])
    return own + sum(_rows(child) for child in node.get("Plans", ()))


async def claim_sees(desk: Desk) -> int:
    return await rows_seen(desk, outbox.statement(), outbox.LEASE, outbox.GIVE_UP_AFTER, [])


STOPS = {
    "frozen": "update channels set frozen_until = now() + interval '1 hour' where id = $1",
    "stopped": "update channels set state = 'stopped' where id = $1",
    "waiting": "update messages set next_attempt_at = now() + interval '1 hour' where channel_id = $1"
    " and status = 'queued'",
}


@pytest.mark.parametrize("why", STOPS)
async def test_very_much_to_send_on_one_channel_costs_the_others_nothing(desk: Desk, why: str) -> None:
    blocked, other = await desk.chat(), await desk.chat()
    await queue(blocked, MANY)
    await desk.db.raw.execute(STOPS[why], blocked.id)
    await desk.db.raw.execute("analyze messages")
    dialog_id = (await other.write(f"other-{why}"))["dialog_id"]
    assert await claim_sees(desk) < FEW
    await desk.answer(dialog_id, "Quick")
    assert await claim_sees(desk) < FEW
    for due in (outbox.DUE, outbox.DUE_ABANDONED):
        assert await rows_seen(desk, due) < FEW
    await desk.send()
    assert [call.text for call in other.adapter.calls] == ["Quick"]
    assert blocked.adapter.calls == []


async def test_what_waits_on_a_stopped_channel_wakes_nobody(desk: Desk) -> None:
    blocked = await desk.chat()
    await queue(blocked, 10)
    await desk.db.raw.execute(STOPS["stopped"], blocked.id)
    woken: list[str] = []
    await Alarm(desk.db, {"outbox": Work(outbox.DUE, lambda: woken.append("outbox"))}).turn()
    assert not woken


async def test_a_channel_that_hangs_leaves_lanes_to_the_others(desk: Desk) -> None:
    slow, quick = await desk.chat(), await desk.chat()
    may_answer = asyncio.Event()

    async def hang(message: OutgoingMessage) -> Sent:
        await may_answer.wait()
        return await slow.adapter.take(message)

    slow.adapter.answer = hang
    await queue(slow, 200)
    files, lanes = desk.world.app.state.files, Lanes(8)

    async def lane() -> None:
        while not may_answer.is_set():
            if not await outbox.turn(desk.db, desk.gateway, files, lanes=lanes):
                await asyncio.sleep(0.01)

    working = [asyncio.create_task(lane()) for _ in range(lanes.count)]
    try:
        await eventually(lambda: slow.id in lanes.full())
        first = await quick.write("quick")
        for number in range(5):
            await desk.answer(first["dialog_id"], str(number))
        await eventually(lambda: len(quick.adapter.calls) == 5)
        assert 0 < len(slow.adapter.calls) < lanes.count
    finally:
        may_answer.set()
        await asyncio.gather(*working)


async def test_a_channel_gets_another_lane_while_more_are_free_than_it_holds() -> None:
    lanes = Lanes(8)
    one, two = UUID(int=1), UUID(int=2)
    for _ in range(4):
        assert lanes.full() == []
        lanes.take(one)
    assert lanes.full() == [one]
    lanes.take(two)
    assert lanes.full() == [one]
    lanes.take(two)
    assert lanes.full() == [one, two]
    for channel_id in (one, two):
        lanes.give_back(channel_id)
    assert lanes.full() == []
