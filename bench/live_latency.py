"""`live.latency`: from the webhook's 200 to the frame in the console's hands, against the commit of one
small row on the same server at the same time."""

import asyncio
import statistics
import time
from contextlib import suppress

import asyncpg
import httpx
import orjson
import websockets

from app.core.embedded import EmbeddedServer
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, serving, stage, vk_message

CONSOLES = 30
RATE = 50
PEOPLE = 200


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (20, 1) if smoke else (400, 3)
    taken: dict[str, list[tuple[float, float]]] = {"p50": [], "p99": []}
    async with stage(running) as on, serving(on) as address:
        for number in range(rounds):
            live, commits = await _round(on, address, number, count)
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                taken[name].append((_share(live, share), _share(commits, share)))
    return [figure.of(f"live.latency.{name}", "ms", found) for name, found in taken.items()]


def _share(values: list[float], share: float) -> float:
    if share == 0.5:
        return statistics.median(values) * 1000
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def _round(on: Stage, address: str, number: int, count: int) -> tuple[list[float], list[float]]:
    """Latencies of each message at a probing console among others, and of commits meanwhile."""
    headers = {"Authorization": f"Bearer {on.token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        cursor = (await client.get("/api/v1/sync")).json()["cursor"]
        target = address.replace("http", "ws", 1) + f"/api/v1/live?after={cursor}"
        sockets = [await websockets.connect(target, additional_headers=headers) for _ in range(CONSOLES)]
        seen: dict[str, float] = {}
        readers = [
            asyncio.create_task(_read(socket, seen if n == 0 else None)) for n, socket in enumerate(sockets)
        ]
        commits: list[float] = []
        committing = asyncio.create_task(_commit(on, commits))
        posted = await _post(on, client, number, count)
        for _ in range(200):
            if len(seen) >= count:
                break
            await asyncio.sleep(0.02)
        committing.cancel()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(committing, *readers, return_exceptions=True)
        for socket in sockets:
            await socket.close()
    if len(seen) < count:
        raise RuntimeError(f"{count - len(seen)} of {count} messages did not reach the console")
    return [max(0.0, seen[text] - at) for text, at in posted.items()], commits


async def _post(on: Stage, client: httpx.AsyncClient, number: int, count: int) -> dict[str, float]:
    """Post webhooks at a steady rate; when each was answered, by its text."""
    posted: dict[str, float] = {}
    waiting: list[asyncio.Task[None]] = []

    async def one(n: int) -> None:
        text = f"latency {number} {n}"
        body = vk_message(on, person=n % PEOPLE, number=number * 1_000_000 + n + 1, text=text)
        answer = await client.post(on.hook, content=body)
        posted[text] = time.perf_counter()
        if answer.status_code != 200:
            raise RuntimeError(f"the webhook answered {answer.status_code}")

    for n in range(count):
        waiting.append(asyncio.create_task(one(n)))
        await asyncio.sleep(1 / RATE)
    await asyncio.gather(*waiting)
    return posted


async def _read(socket: websockets.ClientConnection, seen: dict[str, float] | None) -> None:
    with suppress(websockets.ConnectionClosed):
        async for frame in socket:
            if seen is None or '"message.created"' not in str(frame):
                continue
            now = time.perf_counter()
            for fact in orjson.loads(frame)["facts"]:
                seen.setdefault(fact["message"]["text"], now)


async def _commit(on: Stage, commits: list[float]) -> None:
    """Commit a small row every 20 ms."""
    connection = await asyncpg.connect(on.url)
    await connection.execute("create table if not exists bench_commits (n bigint)")
    try:
        while True:
            began = time.perf_counter()
            await connection.execute("insert into bench_commits values (1)")
            commits.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
