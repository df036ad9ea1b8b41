"""The database alone: commits inbound messages by the product's own statement, and small rows, at a steady
rate on one prepared connection of a process of its own.

`python -m bench.committer RATE` reads `{"url", "channel_id", "count", "at"}` (when to begin) and prints
`{"message": [...], "small": [...]}`: seconds that each commit took.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from channels.base import InboundMessage, Sender
from dialogs import store

PEOPLE = 200
_SMALL_EVERY = 4


async def commit(url: str, channel_id: str, *, rate: float, count: int) -> dict[str, list[float]]:
    """Seconds that each commit took."""
    connection = await asyncpg.connect(url)
    route = store.Route(UUID(channel_id), "vk", timedelta(hours=48), None)
    await connection.execute("create table if not exists bench_commits (n bigint)")
    spent: dict[str, list[float]] = {"message": [], "small": []}
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        await asyncio.sleep(began + number / rate - loop.time())
        values = store.parameters(store.Incoming(_message(number), route))
        start = time.perf_counter()
        await connection.fetchrow(store.statement(), *values)
        spent["message"].append(time.perf_counter() - start)
        if number % _SMALL_EVERY == 0:
            start = time.perf_counter()
            await connection.execute("insert into bench_commits values (1)")
            spent["small"].append(time.perf_counter() - start)
    await connection.close()
    return spent


def _message(number: int) -> InboundMessage:
    person = str(number % PEOPLE)
    return InboundMessage(
        sender=Sender(external_id=person, scope="vk", name=f"Person {person}"),
        chat=person,
        external_id=f"{time.perf_counter_ns()}",
        text="Здравствуйте, где мой заказ?",
    )


async def _main(rate: float) -> None:
    given: dict[str, Any] = json.load(sys.stdin)
    await asyncio.sleep(given["at"] - time.perf_counter())
    print(json.dumps(await commit(given["url"], given["channel_id"], rate=rate, count=given["count"])))


if __name__ == "__main__":
    uvloop.run(_main(float(sys.argv[1])))
