"""The log: read by many while many write; nothing lost, nothing twice, one order, no text in it."""

import asyncio
import random

import asyncpg
import pytest

from app.core import facts
from app.core.facts import Row
from tests.dialogs.desk import Desk
from tests.dialogs.fake import message

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITERS, TRANSACTIONS, PER_TRANSACTION = 16, 12, 3


async def write(desk: Desk, writer: int) -> None:
    """Transactions that stay open for 0–20 ms; one in six is rolled back."""
    chance = random.Random(writer)
    connection = await asyncpg.connect(desk.db.url)
    try:
        for number in range(TRANSACTIONS):
            transaction = connection.transaction()
            await transaction.start()
            for part in range(PER_TRANSACTION):
                await connection.execute(
                    "insert into facts (type, actor_kind, data) values ('test', 'system', $1::jsonb)",
                    f'{{"n": "{writer}.{number}.{part}", "kept": {str(number % 6 != 5).lower()}}}',
                )
                await asyncio.sleep(chance.uniform(0, 0.02) / PER_TRANSACTION)
            await (transaction.commit() if number % 6 != 5 else transaction.rollback())
    finally:
        await connection.close()


async def follow(desk: Desk, done: asyncio.Event, limit: int) -> list[Row]:
    """Read on until the writers are done and nothing is left."""
    seen: list[Row] = []
    position = desk.start
    while True:
        if last := done.is_set():
            await desk.horizon()
        rows = await facts.read(desk.db.raw, position, limit=limit)
        seen += rows
        if rows:
            position = rows[-1].position
        elif last:
            return seen
        else:
            await asyncio.sleep(0.002)


async def test_every_reader_sees_every_fact_once_in_one_order(desk: Desk) -> None:
    done = asyncio.Event()
    readers = [asyncio.create_task(follow(desk, done, limit)) for limit in (1, 7, 500)]
    await asyncio.gather(*(write(desk, writer) for writer in range(WRITERS)))
    done.set()
    first, *others = [
        [row.data["n"] for row in rows if row.type == "test"] for rows in await asyncio.gather(*readers)
    ]
    kept = [number for number in range(TRANSACTIONS) if number % 6 != 5]
    wanted = {f"{w}.{n}.{p}" for w in range(WRITERS) for n in kept for p in range(PER_TRANSACTION)}
    assert len(first) == len(set(first))
    assert set(first) == wanted
    assert all(other == first for other in others)


async def test_what_is_committed_late_is_not_overtaken(desk: Desk) -> None:
    """The fact with the lower number commits last: a reader that went past it would never see it."""
    slow = await asyncpg.connect(desk.db.url)
    try:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("insert into facts (type, actor_kind) values ('slow', 'system')")
        await desk.db.raw.execute("insert into facts (type, actor_kind) values ('quick', 'system')")
        assert await facts.read(desk.db.raw, desk.start) == []
        cursor = await facts.head(desk.db.raw)
        await transaction.commit()
        await desk.horizon()
        assert [row.type for row in await facts.read(desk.db.raw, cursor)] == ["slow", "quick"]
    finally:
        await slow.close()


async def test_facts_hold_no_text_and_no_names(desk: Desk) -> None:
    chat = await desk.chat()
    event = message("secretname", "secrettext", external_id="1")
    await chat.hear(event)
    (first,) = await chat.messages("secretname")
    dialog = first["dialog_id"]
    posted = await desk.answer(dialog, "secretanswer")
    await desk.answer(dialog, "secretnote", direction="note")
    await desk.send()
    await desk.anna.patch(
        f"/customers/{first['customer_id']}", json={"name": "secretnew", "about": "secretabout"}
    )
    task = await desk.anna.post(
        "/tasks", json={"title": "secrettitle", "description": "secretwork", "dialog_ids": [str(dialog)]}
    )
    assert task.status_code == 201, task.text
    done = await desk.anna.patch(
        f"/tasks/{task.json()['id']}", json={"title": "secretother", "status": "done"}
    )
    assert done.status_code == 200, done.text
    await desk.anna.patch(f"/dialogs/{dialog}", json={"assignee_id": desk.anna.id})
    await desk.anna.post(f"/messages/{posted['id']}/resend")
    await desk.anna.post(f"/dialogs/{dialog}/snooze", json={"until": None})
    await desk.anna.post(f"/dialogs/{dialog}/close")
    told = await desk.facts()
    assert len({fact.type for fact in told}) >= 12, "the story is too short"
    whole = await desk.value("select string_agg(f::text, '\n') from facts f")
    for word in ("secret", "Secret", "Anna"):
        assert word not in whole
