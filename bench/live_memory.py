"""`live.memory`: memory of a connected, idle console, against an idle connection of a bare `websockets`
server (no compression, its usual keep-alive)."""

import asyncio
import sys

import psutil
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from app.core.embedded import EmbeddedServer
from bench import figure, readers
from bench.figure import Figure
from bench.readers import Reader
from bench.stage import Stage, listener, serving, stage


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    sockets, rounds = (50, 1) if smoke else (2000, 3)
    readers.many_files()
    taken = []
    for _ in range(rounds):
        async with stage(running) as on, serving(on) as address:
            taken.append((await _product(on, address, sockets), await _bare(sockets)))
    return [figure.of("live.memory", "kB/console", taken)]


async def _product(on: Stage, address: str, sockets: int) -> float:
    cursor = await readers.cursor(address, on.token)
    path, header = f"/api/v1/live?after={cursor}", readers.bearer(on.token)
    return await _growth(listener(on.settings.port), address, path, header, sockets)


async def _bare(sockets: int) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.live_memory", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = f"http://127.0.0.1:{int((await process.stdout.readline()).decode())}"
    grown = await _growth(psutil.Process(process.pid), address, "/", "", sockets)
    process.terminate()
    await process.wait()
    return grown


async def _growth(process: psutil.Process, address: str, path: str, header: str, sockets: int) -> float:
    """Kilobytes of user memory a socket, over what the process had with a few."""
    first = await readers.connect(Reader, address, path, [header] * (sockets // 10))
    await asyncio.sleep(1)
    before = process.memory_info().rss
    joined = await readers.connect(Reader, address, path, [header] * sockets)
    await asyncio.sleep(2)
    grown = process.memory_info().rss - before
    readers.close([*first, *joined])
    return float(grown) / sockets / 1000


async def _server() -> None:
    async def hold(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async with serve(hold, "127.0.0.1", 0, compression=None, backlog=2048) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_server())
