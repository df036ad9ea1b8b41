"""`inbox.page`: the first and the hundredth page of an agent's inbox through the whole application, against
its very statement through asyncpg; and how many shared buffers that statement touches for a row."""

from typing import Any

import asyncpg
import orjson

from app.core.embedded import EmbeddedServer
from bench import figure, large
from bench.figure import Figure
from bench.large import Large

_PAGES = {"first": ("/dialogs", 0), "hundredth": ("/dialogs?status=closed", 99)}
"""The list, and how many pages come before. No agent has 5,000 open dialogs: far down is what is closed."""
_BUFFERS = 10.0


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (3, 1) if smoke else (60, 5)
    figures = []
    async with large.opened(running, smoke=smoke) as on:
        bare = await asyncpg.connect(on.url)
        for name, (first, number) in _PAGES.items():
            path = await _path(on, first, min(number, 3) if smoke else number)
            taken = [await _round(on, bare, path, count) for _ in range(rounds)]
            figures.append(figure.of(f"inbox.page.{name}", "ms", taken))
            buffers = await _buffers(bare, *await _statement(on, path))
            figures.append(figure.of(f"inbox.page.{name}.buffers", "buffers/row", [(buffers, _BUFFERS)]))
        await bare.close()
    return figures


async def _path(on: Large, first: str, number: int) -> str:
    """Of the page after `number` others."""
    path = first
    for _ in range(number):
        following = orjson.loads(await on.get(path))["next"]
        path = f"{first}&cursor={following}"
    return path


async def _statement(on: Large, path: str) -> tuple[str, tuple[Any, ...]]:
    on.statements.clear()
    await on.get(path)
    return next(found for found in on.statements if "with page as" in found[0])


async def _round(on: Large, bare: Any, path: str, count: int) -> tuple[float, float]:
    statement, values = await _statement(on, path)

    async def fetch() -> None:
        await bare.fetch(statement, *values)

    for _ in range(10):  # until both have settled on a plan
        await on.get(path)
        await fetch()
    return await large.median(lambda: on.get(path), count=count), await large.median(fetch, count=count)


async def _buffers(bare: Any, statement: str, values: tuple[Any, ...]) -> float:
    plan = await bare.fetchval(f"explain (analyze, buffers, format json) {statement}", *values)
    top = orjson.loads(plan)[0]["Plan"]
    return float((top["Shared Hit Blocks"] + top["Shared Read Blocks"]) / max(1, top["Actual Rows"]))
