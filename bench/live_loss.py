"""`live.loss`: facts that consoles missed, had twice or had out of order, with 16 writers holding their
transactions open for up to 20 ms, consoles cut off at random and resumed from their cursor. Must be 0."""

import asyncio
import random
from uuid import UUID

import orjson

from app.core import facts
from app.core.db import Database
from app.core.embedded import EmbeddedServer
from app.core.facts import Position
from bench import readers
from bench.figure import Figure
from bench.readers import Keeper
from bench.stage import Stage, serving, stage

WRITERS = 16
CONSOLES = 8


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    seconds, rounds = (1.0, 1) if smoke else (8.0, 3)
    worst, written = 0, 0
    async with stage(running) as on, serving(on) as address:
        writing = Database(on.url, pool_size=WRITERS)
        await writing.open()
        for _ in range(rounds):
            wrong, count = await _round(on, writing, address, seconds)
            worst, written = max(worst, wrong), written + count
        await writing.close()
    return [Figure("live.loss", worst, "facts", written, worst / written, rounds)]


async def _round(on: Stage, writing: Database, address: str, seconds: float) -> tuple[int, int]:
    """How many facts some console had wrongly, and how many there were."""
    start = await readers.cursor(address, on.token)
    stop, done = asyncio.Event(), asyncio.Event()
    followers = [asyncio.create_task(_follow(on, address, start, done)) for _ in range(CONSOLES)]
    writers = [asyncio.create_task(_write(writing, stop)) for _ in range(WRITERS)]
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.gather(*writers)
    await asyncio.sleep(1)  # more than a look of the reader's own
    done.set()
    seen = await asyncio.gather(*followers)
    first = facts.decode(start, epoch=await _epoch(on))
    written = await _written(on, first)
    return sum(_wrong(one, written) for one in seen), len(written)


def _wrong(seen: list[str], written: list[str]) -> int:
    if seen == written:
        return 0
    return max(1, len(set(written) ^ set(seen)) + len(seen) - len(set(seen)))


async def _write(db: Database, stop: asyncio.Event) -> None:
    chance = random.Random()
    while not stop.is_set():
        async with db.transaction() as session:
            for _ in range(chance.randrange(1, 4)):
                await facts.record(session, "bench.fact", actor=facts.SYSTEM)
                await asyncio.sleep(chance.random() * 0.02 / 3)


async def _follow(on: Stage, address: str, cursor: str, done: asyncio.Event) -> list[str]:
    """Cursors of all facts that a console had which was cut off again and again."""
    chance = random.Random()
    seen: list[str] = []
    while not done.is_set():
        path, header = f"/api/v1/live?after={cursor}", readers.bearer(on.token)
        (socket,) = await readers.connect(Keeper, address, path, [header])
        try:
            async with asyncio.timeout(chance.random() * 1.5):
                await done.wait()
        except TimeoutError:
            socket.transport.abort()
        for _, frame in socket.frames():
            said = orjson.loads(frame)
            seen += [fact["cursor"] for fact in said.get("facts", ()) if fact["type"] == "bench.fact"]
            cursor = said.get("cursor", cursor)
    socket.transport.abort()
    return seen


async def _epoch(on: Stage) -> UUID:
    async with on.db.transaction() as session:
        return await facts.epoch(session)


async def _written(on: Stage, after: Position) -> list[str]:
    """Cursors of all facts of the round as the table has them."""
    rows = await on.db.raw.fetch(
        "select xid::text::bigint, id from facts where xid > $1::text::xid8 and type = 'bench.fact' "
        "order by facts.xid, id",
        str(after.xid),
    )
    epoch = await _epoch(on)
    return [facts.encode(Position(*row), epoch=epoch) for row in rows]
