"""`inbox.page`: an agent's first and hundredth page, against their very statement through asyncpg.

Measured is the function of the endpoint, in the transaction of a request, to the bytes of the answer; and
as `.request` the whole of it: application, caller's rights, transaction, without a socket. `.buffers`: the
shared buffers that the statement touches for a row.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import people, viewer
from app.agents.viewer import Viewer
from app.core import paging
from app.core.db import Database, driver
from app.core.embedded import EmbeddedServer
from app.demo.scale import desk
from bench import figure, large
from bench.figure import Figure
from bench.large import Large
from dialogs import inbox_view

_BUFFERS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A page of a list: the list's status, and how many pages come before it."""

    status: Any
    number: int
    cursor: str | None = None

    @property
    def path(self) -> str:
        return f"/dialogs?status={self.status}" + (f"&cursor={self.cursor}" if self.cursor else "")


# No agent has 5,000 open dialogs: so far down is only what is closed.
_PLACES = {"first": Place("open", 0), "hundredth": Place("closed", 99)}


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (3, 1) if smoke else (60, 5)
    figures = []
    async with large.opened(running, smoke=smoke) as on:
        database: Database = on.app.state.database
        async with database.transaction() as session:
            agent = await people.find_by_email(session, desk.address("agent"))
            assert agent is not None
            caller = await viewer.load(session, agent.id)
        bare = await asyncpg.connect(on.url)
        for name, place in _PLACES.items():
            place = await _gone_to(on, place, smoke=smoke)
            query, values = await _statement(database, caller, place)
            taken = [await _round(on, bare, caller, place, (query, values), count) for _ in range(rounds)]
            figures.append(figure.of(f"inbox.page.{name}", "ms", [(one, least) for one, _, least in taken]))
            requests = [(whole, least) for _, whole, least in taken]
            figures.append(figure.of(f"inbox.page.{name}.request", "ms", requests))
            buffers = await _buffers(bare, query, values)
            figures.append(figure.of(f"inbox.page.{name}.buffers", "buffers/row", [(buffers, _BUFFERS)]))
        await bare.close()
    return figures


async def _gone_to(on: Large, place: Place, *, smoke: bool) -> Place:
    for _ in range(min(place.number, 3) if smoke else place.number):
        following = orjson.loads(await on.get(place.path))["next"]
        place = Place(place.status, place.number, following)
    return place


async def _page(session: AsyncSession, caller: Viewer, place: Place) -> bytes:
    """What the endpoint does once it knows the caller."""
    items, following = await inbox_view.page(
        session,
        caller,
        view="all",
        status=place.status,
        channel_id=None,
        sort="waiting" if place.status == "open" else "recent",
        words="",
        cursor=place.cursor,
        limit=50,
    )
    return bytes(paging.answer(items, following=following).body)


async def _statement(database: Database, caller: Viewer, place: Place) -> tuple[str, Any]:
    told: list[tuple[str, Any]] = []

    def heard(record: Any) -> None:
        told.append((record.query, record.args))

    async with database.transaction() as session:
        with (await driver(session)).query_logger(heard):
            await _page(session, caller, place)
    return next(found for found in told if "with page as" in found[0])


async def _round(
    on: Large, bare: Any, caller: Viewer, place: Place, statement: tuple[str, Any], count: int
) -> tuple[float, float, float]:
    """Milliseconds of the endpoint's function, of the whole request, and of the statement alone."""
    query, values = statement

    async def request() -> None:
        await on.get(place.path)

    async def fetch() -> None:
        await bare.fetch(query, *values)

    async with on.app.state.database.transaction() as session:

        async def page() -> None:
            await _page(session, caller, place)

        await large.median(page, count=10)  # until it has settled on a plan
        one = await large.median(page, count=count)
    for act in (request, fetch):
        await large.median(act, count=10)
    return one, await large.median(request, count=count), await large.median(fetch, count=count)


async def _buffers(bare: Any, query: str, values: Any) -> float:
    plan = await bare.fetchval(f"explain (analyze, buffers, format json) {query}", *values)
    top = orjson.loads(plan)[0]["Plan"]
    return float((top["Shared Hit Blocks"] + top["Shared Read Blocks"]) / max(1, top["Actual Rows"]))
