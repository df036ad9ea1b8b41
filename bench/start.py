"""`start`: CPU to import the web process and its memory once it serves, idle, against uvicorn, Starlette
and asyncpg alone; `.frameworks`: the same of FastAPI, pydantic and SQLAlchemy without a line of ours."""

import asyncio
import os
import resource
import sys

import httpx

from app.core.embedded import EmbeddedServer
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, free_port, listener, serving, stage

_BARE = """
import asyncio, sys
import asyncpg, httptools, uvicorn, uvloop
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
"""
_BARE_SERVER = """
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
_FRAMEWORKS = """
import gc, sys
gc.disable()
import asyncpg, httptools, uvicorn, uvloop
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
gc.freeze()
gc.enable()
"""
_FRAMEWORKS_SERVER = """
sessions = async_sessionmaker(create_async_engine(sys.argv[1].replace("postgresql:", "postgresql+asyncpg:")))

class Ready(BaseModel):
    ready: int

app = FastAPI()

@app.get("/readyz")
async def readyz() -> Ready:
    async with sessions() as session:
        return Ready(ready=await session.scalar(text("select 1")))

uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", ws="websockets-sansio", log_config=None)
"""
_PRODUCT = """
from app.core import lean
lean.begin()
import httptools, uvloop, app.main, app.server
lean.settle()
"""
"""As `otklik serve` does."""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    rounds = 1 if smoke else 5
    times, alone = [], []
    for program in (_BARE, _FRAMEWORKS, _PRODUCT):
        await _cpu(program)  # writes the bytecode, which is there from the second start on
    for _ in range(rounds):
        bare = await _cpu(_BARE)
        times.append((await _cpu(_PRODUCT), bare))
        alone.append((await _cpu(_FRAMEWORKS), bare))
    found = [figure.of("start.import", "s", times), figure.of("start.import.frameworks", "s", alone)]
    sizes, bigger = [], []
    async with stage(running) as on:
        for _ in range(min(rounds, 3)):
            small = await _served(on, _BARE + _BARE_SERVER)
            sizes.append((await _product(on), small))
            bigger.append((await _served(on, _FRAMEWORKS + _FRAMEWORKS_SERVER), small))
    return [
        *found,
        figure.of("start.memory", "MB", sizes),
        figure.of("start.memory.frameworks", "MB", bigger),
    ]


async def _cpu(program: str) -> float:
    """Seconds of CPU of an interpreter that runs `program`."""
    before = _children()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=_environment())
    if await process.wait():
        raise RuntimeError("it could not be imported")
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """As users have it: with bytecode kept."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def _product(on: Stage) -> float:
    async with serving(on) as address:
        return await _memory(address, on.settings.port)


async def _served(on: Stage, program: str) -> float:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, on.url, str(port), env=_environment()
    )
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
