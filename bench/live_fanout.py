"""`live.fanout`: deliveries a second to 500 consoles, from the log's commit to the last byte read,
against a bare `websockets` broadcast of the same bytes to the same readers."""

import asyncio
import base64
import os
import sys
import time
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select
from websockets.asyncio.server import ServerConnection, broadcast, serve

from app.core import facts
from app.core.embedded import EmbeddedServer
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, serving, stage, vk_message
from dialogs.models import Dialog


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    consoles, count, rounds = (20, 20, 1) if smoke else (500, 200, 3)
    taken = []
    async with stage(running) as on, serving(on) as address:
        for number in range(rounds):
            value, size = await _product(on, address, number, consoles, count)
            taken.append((value, await _bare(consoles, count, size)))
    return [figure.of("live.fanout", "deliveries/s", taken)]


class Reader(asyncio.Protocol):
    """The cheapest console: says hello and counts bytes."""

    def __init__(self, path: str, headers: str, host: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        ).encode()
        self.bytes = 0
        self.last = 0.0
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        if not self.ready.done() and b"\r\n\r\n" in data:
            self.ready.set_result(data.startswith(b"HTTP/1.1 101"))
            data = data.split(b"\r\n\r\n", 1)[1]
        self.bytes += len(data)
        self.last = time.perf_counter()


async def _connect(address: str, path: str, headers: str, count: int) -> list[Reader]:
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    readers = []
    for _ in range(count):
        _, reader = await asyncio.get_running_loop().create_connection(
            lambda: Reader(path, headers, parts.netloc), parts.hostname, parts.port
        )
        async with asyncio.timeout(20):
            if not await reader.ready:
                raise RuntimeError("the socket was refused")
        readers.append(reader)
    return readers


async def _settled(readers: list[Reader], expected: int) -> float:
    """When the last reader had all its bytes."""
    for _ in range(3000):
        if all(reader.bytes >= expected for reader in readers):
            return max(reader.last for reader in readers)
        await asyncio.sleep(0.01)
    short = sum(reader.bytes < expected for reader in readers)
    raise RuntimeError(f"{short} readers did not get everything")


async def _product(on: Stage, address: str, number: int, consoles: int, count: int) -> tuple[float, int]:
    """Deliveries a second, and the bytes of one frame's payload."""
    auth = {"Authorization": f"Bearer {on.token}"}
    async with httpx.AsyncClient(base_url=address, headers=auth) as client:
        await client.post(on.hook, content=vk_message(on, person=1, number=number + 1))
        await asyncio.sleep(1)
        cursor = (await client.get("/api/v1/sync")).json()["cursor"]
    path = f"/api/v1/live?after={cursor}"
    readers = await _connect(address, path, f"Authorization: {auth['Authorization']}\r\n", consoles)
    await asyncio.sleep(1)
    size = await _one(on, readers)
    for reader in readers:
        reader.bytes = 0
    began = await _record(on, count)
    last = await _settled(readers, count * size)
    for reader in readers:
        reader.transport.close()
    return consoles * count / (last - began), size - 4


async def _one(on: Stage, readers: list[Reader]) -> int:
    """Bytes of one frame on the wire; all frames of the measurement are alike."""
    before = readers[0].bytes
    await _record(on, 1)
    for _ in range(300):
        await asyncio.sleep(0.01)
        if all(reader.bytes > before for reader in readers):
            break
    await asyncio.sleep(0.2)
    return readers[0].bytes - before


async def _record(on: Stage, count: int) -> float:
    """Record facts about one dialog in one transaction; when it was committed."""
    async with on.db.transaction() as session:
        dialog = (await session.scalars(select(Dialog))).first()
        assert dialog is not None
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
        sys.executable,
        "-m",
        "bench.live_fanout",
        str(consoles),
        str(count),
        str(size),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int((await process.stdout.readline()).decode())
    readers = await _connect(f"http://127.0.0.1:{port}", "/", "", consoles)
    began = float((await process.stdout.readline()).decode())
    last = await _settled(readers, count * (size + 4))
    for reader in readers:
        reader.transport.close()
    await process.wait()
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

    async with serve(hold, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await full.wait()
        await asyncio.sleep(0.5)
        text = "x" * size
        print(time.perf_counter(), flush=True)
        for _ in range(count):
            broadcast(connected, text)
            await asyncio.sleep(0)
        for connection in list(connected):
            await connection.wait_closed()


if __name__ == "__main__":
    asyncio.run(_broadcaster(*(int(value) for value in sys.argv[1:4])))
