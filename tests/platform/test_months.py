"""Tables by month: converted with what is in them, made ahead, and never refusing a row."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.core import migrate, partitions
from app.core.clock import now
from app.core.db import Database
from app.core.partitions import later, month

TABLES = ("facts", "inbound", "messages")
OLD = """
insert into channels (kind, name, external_id, secrets, webhook_key) values ('api', 'c', '1', '', 'k');
insert into customers (name) values ('c');
insert into agents (email, name, role) values ('a@example.org', 'a', 'admin');
insert into dialogs (customer_id, channel_id) select c.id, ch.id from customers c, channels ch;
insert into inbound (channel_id, key, lane, payload, received_at)
select id, n, '', '', now() - n * interval '1 month' from channels, generate_series(0, 2) n;
insert into facts (type, actor_kind, at)
select 'test', 'system', now() - n * interval '1 month' from generate_series(0, 2) n;
insert into messages (id, customer_id, dialog_id, channel_id, author_id, chat, external_id, client_key,
    direction)
select uuidv7(n * interval '-1 month'), d.customer_id, d.id, d.channel_id, a.id, 'chat', n, 'key' || n, 'in'
from dialogs d, agents a, generate_series(2, 0, -1) n;
update messages set reply_to_id = (select id from messages where external_id = '2') where external_id = '0';
insert into attachments (message_id, kind) select id, 'image' from messages;
"""


@pytest.fixture
async def raw(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A database of 0002 with rows of three months."""
    await migrate.upgrade(empty_database_url, "0002")
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(OLD)
    yield connection
    await connection.close()


async def everything(raw: asyncpg.Connection) -> list[list[asyncpg.Record]]:
    queries = (
        "select id, seq, reply_to_id, external_id, client_key, created_at from messages order by seq",
        "select id, key, state, received_at from inbound order by id",
        "select xid::text, id, type, at from facts order by id",
        "select id, message_id from attachments order by id",
    )
    return [await raw.fetch(query) for query in queries]


async def test_what_was_there_lies_in_its_months(raw: asyncpg.Connection, empty_database_url: str) -> None:
    before = await everything(raw)
    await migrate.upgrade(empty_database_url)
    assert await everything(raw) == before
    for table in TABLES:
        rows = await raw.fetch(f"select distinct tableoid::regclass::text as lies_in from {table}")
        at = "uuid_extract_timestamp(id)" if table == "messages" else "received_at"
        at = "at" if table == "facts" else at
        months = await raw.fetch(
            f"select distinct to_char({at} at time zone 'UTC', 'YYYY_MM') as m from {table}"
        )
        assert {row["lies_in"] for row in rows} == {f"{table}_{row['m']}" for row in months}
    assert (
        await raw.fetchval("select count(*) from message_keys k join messages m on m.id = k.message_id") == 3
    )
    assert (
        await raw.fetchval("select count(*) from client_keys k join messages m on m.id = k.message_id") == 3
    )
    assert (
        await raw.fetchval("select count(*) from inbound_keys k join inbound i on i.id = k.inbound_id") == 3
    )
    newest = await raw.fetchval("select max(seq) from messages")
    again = (
        "insert into messages (customer_id, dialog_id, direction) select customer_id, id, 'note' from dialogs"
    )
    assert await raw.fetchval(f"{again} returning seq") > newest


async def test_and_back_in_one_table(raw: asyncpg.Connection, empty_database_url: str) -> None:
    before = await everything(raw)
    await migrate.upgrade(empty_database_url)
    await migrate.downgrade(empty_database_url, "0002")
    assert await everything(raw) == before


async def lies_in(db: Database, table: str) -> list[str]:
    rows = await db.raw.fetch(f"select tableoid::regclass::text as name from {table}")
    return [row["name"] for row in rows]


async def parts(db: Database, table: str) -> set[str]:
    async with db.transaction() as session:
        return await partitions._names(session, table)


async def test_months_are_made_ahead_by_many_at_once(db: Database) -> None:
    clock = later(month(now()), 5) + timedelta(days=20)
    assert sum(await asyncio.gather(*(partitions.make(db, now=clock) for _ in range(3)))) >= 3 * 4
    for table in TABLES:
        made = await parts(db, table)
        assert {f"{table}_{later(month(clock), ahead):%Y_%m}" for ahead in range(4)} < made
    assert await partitions.make(db, now=clock) == 0


async def test_a_row_without_a_month_is_kept_aside_and_its_month_stays_there(db: Database) -> None:
    clock = datetime(2199, 12, 31, 23, 59, tzinfo=UTC)
    at = clock.isoformat()
    await db.raw.execute(f"insert into facts (type, actor_kind, at) values ('test', 'system', '{at}')")
    assert await lies_in(db, "facts") == ["facts_default"]
    await partitions.make(db, now=clock)
    assert "facts_2199_12" not in await parts(db, "facts")
    assert {"facts_2200_01", "facts_2200_03"} < await parts(db, "facts")
    assert "messages_2199_12" in await parts(db, "messages")
    assert await lies_in(db, "facts") == ["facts_default"]


async def test_a_busy_table_is_left_for_another_time(db: Database) -> None:
    clock = later(month(now()), 9)
    async with db.raw.acquire() as reader, reader.transaction():
        await reader.fetchval("select count(*) from messages")
        assert await partitions.make(db, now=clock) == 2 * 4
    assert await partitions.make(db, now=clock) == 4


async def test_an_id_tells_its_month(db: Database) -> None:
    for at in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2031, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)):
        id = partitions.first_id(at)
        assert await db.raw.fetchval("select $1::uuid", id) == id
        count = int(at.timestamp() * 1000)
        assert id.int >> 80 == count
