"""`live.fanout`: deliveries a second to 500, 2,000 and 5,000 consoles, from the log's commit to the last
byte read, against `websockets` broadcasting the same bytes to as many readers, on the same kind of loop."""

import asyncio
import sys
import time

import uvloop
from sqlalchemy import select
from websockets.asyncio.server import ServerConnection, broadcast, serve

from app.core import facts
from app.core.embedded import EmbeddedServer
from bench import figure, poster, readers
from bench.figure import Figure
from bench.readers import Reader
from bench.stage import Stage, serving, stage, vk_message
from dialogs.models import Dialog

SIZES = {500: 400, 2000: 100, 5000: 40}
"""Consoles, and facts in a round: 200,000 deliveries."""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    sizes, rounds = ({20: 20}, 1) if smoke else (SIZES, 3)
    readers.many_files()
    found = []
    async with stage(running) as on, serving(on) as address:
        await poster.run(address, [(on.hook, vk_message(on, person=1, number=1).decode(), "")], 1)
        for consoles, count in sizes.items():
            found.append(await _size(on, address, consoles, count, rounds))
    return found


async def _size(on: Stage, address: str, consoles: int, count: int, rounds: int) -> Figure:
    cursor = await readers.cursor(address, on.token)
    path, headers = f"/api/v1/live?after={cursor}", [readers.bearer(on.token)] * consoles
    joined = await readers.connect(Reader, address, path, headers)
    await readers.greeted(joined)
    size = await _one(on, joined)
    taken = []
    for _ in range(rounds):
        value = await _product(on, joined, count, size)
        taken.append((value, await _bare(consoles, count, size - 4)))
    readers.close(joined)
    return figure.of(f"live.fanout.{consoles}", "deliveries/s", taken)


async def _product(on: Stage, joined: list[Reader], count: int, size: int) -> float:
    for reader in joined:
        reader.bytes = 0
    began = await _record(on, count)
    last = await readers.settled(joined, count * size)
    return len(joined) * count / (last - began)


async def _one(on: Stage, joined: list[Reader]) -> int:
    """Bytes of one frame on the wire; all frames of the measurement are alike."""
    for reader in joined:
        reader.bytes = 0
    await _record(on, 1)
    await readers.greeted(joined)
    return min(reader.bytes for reader in joined)


async def _record(on: Stage, count: int) -> float:
    """Record facts about one dialog in one transaction; when it was committed."""
    async with on.db.transaction() as session:
        dialog = (await session.scalars(select(Dialog))).one()
        for _ in range(count):
            await facts.record(
                session,
                "dialog.changed",
                actor=facts.SYSTEM,
                customer_id=dialog.customer_id,
                dialog_id=dialog.id,
            )
    return time.perf_counter()


async def _bare(consoles: int, count: int, size: int) -> float:
    """The same bytes to as many readers by `websockets` alone, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.live_fanout", str(consoles), str(count), str(size)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int((await process.stdout.readline()).decode())
    joined = await readers.connect(Reader, f"http://127.0.0.1:{port}", "/", [""] * consoles)
    began = float((await process.stdout.readline()).decode())
    last = await readers.settled(joined, count * (size + 4))
    process.terminate()
    await process.wait()
    readers.close(joined)
    return consoles * count / (last - began)


async def _broadcaster(consoles: int, count: int, size: int) -> None:
    """Broadcast `count` messages of `size` bytes once `consoles` are connected."""
    connected: set[ServerConnection] = set()
    full = asyncio.Event()

    async def hold(connection: ServerConnection) -> None:
        connected.add(connection)
        if len(connected) == consoles:
            full.set()
        await connection.wait_closed()

    async with serve(hold, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=2048) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await full.wait()
        await asyncio.sleep(0.5)
        text = "x" * size
        print(time.perf_counter(), flush=True)
        for _ in range(count):
            broadcast(connected, text)
            await asyncio.sleep(0)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_broadcaster(*(int(value) for value in sys.argv[1:4])))
