"""`start`: CPU to import the web process and its memory once it serves, idle, against uvicorn, Starlette
and asyncpg alone."""

import asyncio
import os
import sys

import httpx

from app.core.embedded import EmbeddedServer
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, free_port, listener, serving, stage

_BARE = """
import asyncio, sys
import asyncpg, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
"""
_BARE_SERVER = (
    _BARE
    + """
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(app):
    app.state.pool = await asyncpg.create_pool(sys.argv[1], min_size=1)
    yield
    await app.state.pool.close()

async def readyz(request):
    await request.app.state.pool.fetchval("select 1")
    return PlainTextResponse("ok")

app = Starlette(routes=[Route("/readyz", readyz)], lifespan=lifespan)
uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", ws="websockets-sansio", log_config=None)
"""
)
_PRODUCT = "import gc; gc.disable(); import uvloop, httptools, app.main, app.server"
"""As `programs.serve` does."""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    rounds = 1 if smoke else 5
    times = [(await _cpu(_PRODUCT), await _cpu(f"{_BARE}\nimport uvloop, httptools")) for _ in range(rounds)]
    sizes = []
    async with stage(running) as on:
        for _ in range(min(rounds, 3)):
            sizes.append((await _product(on), await _bare(on)))
    return [figure.of("start.import", "s", times), figure.of("start.memory", "MB", sizes)]


async def _cpu(program: str) -> float:
    """Seconds of CPU of an interpreter that runs `program`."""
    before = sum(os.times()[2:4])
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    if await process.wait():
        raise RuntimeError("it could not be imported")
    return sum(os.times()[2:4]) - before


async def _product(on: Stage) -> float:
    async with serving(on) as address:
        return await _memory(address, on.settings.port)


async def _bare(on: Stage) -> float:
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BARE_SERVER, on.url, str(port))
    try:
        return await _memory(f"http://127.0.0.1:{port}", port)
    finally:
        process.terminate()
        await process.wait()


async def _memory(address: str, port: int) -> float:
    """Megabytes of the process that answers, a moment after it was ready."""
    async with httpx.AsyncClient() as client:
        for _ in range(200):
            try:
                await client.get(f"{address}/readyz")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    return float(listener(port).memory_info().rss) / 1e6
