"""The hottest statements, taken at the door, read no table from end to end and sort no table."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core import facts
from app.web import frames
from tests.plans.conftest import Plans, Year

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEWS = ("mine", "unassigned", "team", "all")


async def get(year: Year, path: str) -> None:
    for client in (year.agent, year.lead, year.admin):
        answer = await client.get(path)
        assert answer.status_code in (200, 404), answer.text


async def inbox(year: Year) -> None:
    for view in VIEWS:
        for status in ("open", "snoozed", "closed"):
            await get(year, f"/dialogs?view={view}&status={status}")
    first = (await year.agent.get("/dialogs?limit=10")).json()
    await year.agent.get(f"/dialogs?limit=10&cursor={first['next']}")


async def inbox_by_words(year: Year) -> None:
    await get(year, "/dialogs?q=user123")
    await get(year, "/dialogs?q=%23123")


async def thread(year: Year) -> None:
    path = f"/customers/{year.whale}/messages"
    await get(year, path)
    page = (await year.admin.get(path)).json()["items"]
    await get(year, f"{path}?before={page[0]['seq']}")
    await get(year, f"{path}?after={page[0]['seq']}")


async def card(year: Year) -> None:
    await get(year, f"/customers/{year.whale}")


async def customers_by_words(year: Year) -> None:
    for words in ("user123", "c123@mail", "0000123"):
        await get(year, f"/customers?q={words}")


async def customers_by_name(year: Year) -> None:
    await get(year, "/customers")


async def sync(year: Year) -> None:
    await get(year, "/sync")


async def understanding(year: Year) -> None:
    await year.chat.write("planned")
    await year.chat.write("planned", "Again")


async def answering(year: Year) -> None:
    row = await year.chat.write("answered")
    await year.desk.answer(row["dialog_id"], by=year.desk.anna)
    await year.desk.send()


async def feed(year: Year) -> None:
    before = await facts.head(year.desk.db.raw)
    row = await year.chat.write("followed")
    await year.desk.answer(row["dialog_id"], by=year.desk.anna)
    await year.desk.horizon()
    rows = await facts.read(year.desk.db.raw, before)
    assert rows
    await build(year, rows)
    assert (await year.admin.get(f"/events?after={await cursor(year)}")).status_code == 200


async def build(year: Year, rows: Any) -> None:
    await frames.build(year.desk.db, rows, epoch=year.desk.world.app.state.feed.epoch)


async def cursor(year: Year) -> str:
    found: str = (await year.admin.get("/sync")).json()["cursor"]
    return found


@pytest.mark.parametrize(
    ("act", "table"),
    [
        (inbox, "dialogs"),
        (inbox_by_words, "dialogs"),
        (thread, "messages"),
        (card, "messages"),
        (customers_by_words, "customers"),
        (customers_by_name, "customers"),
        (sync, "dialogs"),
        (understanding, "inbound"),
        (answering, "messages"),
        (feed, "facts"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_nothing_that_grows_is_read_or_sorted_whole(
    year: Year, plans: Plans, act: Callable[[Year], Awaitable[None]], table: str
) -> None:
    with plans.watching():
        await act(year)
    assert any(name.startswith(table) for name in plans.tables()), "nothing was overheard"
    assert not plans.complaints(), "\n\n".join(sorted(set(plans.complaints())))
