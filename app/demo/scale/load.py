"""Filling the tables with a plan: by COPY, month after month, under all rules of the schema."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.agents import people
from app.core import partitions
from app.core.config import Settings
from app.core.db import Database, RawConnection
from app.core.errors import Conflict
from app.core.secrets import open_box
from app.demo import run
from app.demo.scale import desk, rows
from app.demo.scale.plan import Plan, Size
from app.demo.scale.rows import Row

Advance = Callable[[str, int], None]
"""Called with what is being made and how many more of it there are now."""

_STEP = 1000
_RECENT = Path(__file__).with_name("recent.sql")
_KEYS = Path(__file__).with_name("keys.sql")
_TABLES = (*rows.COLUMNS, "message_keys", "client_keys", "facts", "inbound", "inbound_keys")


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line says."""

    size: Size
    seed: int = 1
    sure: bool = False


async def fill(database: Database, settings: Settings, order: Order, *, advance: Advance) -> None:
    """Make everything, and let the planner know of it; raises `Conflict` among other people's work."""
    dice = random.Random(order.seed)  # noqa: S311 - a play
    async with database.transaction() as session:
        if await people.find_by_email(session, desk.address("admin")):
            raise Conflict("A large desk was made here already: take another data folder or database.")
        await run.refuse_strangers(session, settings, sure=order.sure)
        made = await desk.make(session, open_box(settings), dice)
    now: datetime = await database.raw.fetchval("select clock_timestamp()")
    plan = Plan(dice, made, order.size, now=now)
    await partitions.make(database, now=now, since=datetime.fromtimestamp(plan.since, UTC))
    async with database.raw.acquire() as connection:
        await _fill(connection, plan, rows.Writer(plan, dice), advance)


async def _fill(connection: RawConnection, plan: Plan, writer: rows.Writer, advance: Advance) -> None:
    await connection.execute("set transaction_timeout = 0; set synchronous_commit = off")
    try:
        await _copy(connection, "customers", _counted(rows.people(plan.people), "customers", advance))
        await _copy(connection, "identities", rows.contacts(plan.people))
        for dialogs, messages in plan.months():
            await _copy(connection, "dialogs", _counted(writer.dialogs(dialogs), "dialogs", advance))
            await _copy(connection, "messages", _counted(writer.messages(messages), "messages", advance))
            for table, found in (("dialog_reads", writer.reads), ("attachments", writer.files)):
                await _copy(connection, table, found)
                found.clear()
        await _copy(connection, "tasks", writer.tasks)
        for table, links in writer.links.items():
            await _copy(connection, table, links)
        for made in (_KEYS, _RECENT):
            await connection.execute(made.read_text(), timeout=None)
        for table in _TABLES:
            await connection.execute(f"vacuum (analyze) {table}", timeout=None)
    finally:
        await connection.execute("reset transaction_timeout; reset synchronous_commit")


async def _copy(connection: RawConnection, table: str, found: Iterable[Row]) -> None:
    await connection.copy_records_to_table(
        table, records=found, columns=rows.COLUMNS[table].split(), timeout=None
    )


def _counted(found: Iterable[Row], what: str, advance: Advance) -> Iterator[Row]:
    number = 0
    for number, row in enumerate(found, 1):
        if number % _STEP == 0:
            advance(what, _STEP)
        yield row
    advance(what, number % _STEP)
