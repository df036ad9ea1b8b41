"""Migrations: up, down, all at once; and which databases are refused."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import migrate
from app.core.config import SettingsError
from app.core.partitions import is_partition


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
    finally:
        await connection.close()
    return {row["relname"] for row in found} - {"alembic_version"}


async def test_many_processes_may_migrate_at_once(empty_database_url: str) -> None:
    assert await migrate.pending(empty_database_url)
    await asyncio.gather(*(migrate.upgrade(empty_database_url) for _ in range(4)))
    assert not await migrate.pending(empty_database_url)
    assert await tables(empty_database_url) == set(migrate.metadata().tables)


async def test_down_to_nothing_and_up_again(empty_database_url: str) -> None:
    await migrate.upgrade(empty_database_url)
    await migrate.downgrade(empty_database_url, "base")
    assert await tables(empty_database_url) == set()
    await migrate.upgrade(empty_database_url)
    assert await tables(empty_database_url) == set(migrate.metadata().tables)


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_models_are_what_the_migrations_make(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        whole = {"include_name": lambda name, kind, _: kind != "table" or not is_partition(name)}
        context = MigrationContext.configure(connection, opts={"compare_type": True, **whole})
        return list(compare_metadata(context, migrate.metadata()))

    engine = create_async_engine(migrate.for_sqlalchemy(database_url))
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(differences)
    finally:
        await engine.dispose()
    assert found == []


async def test_database_of_a_newer_program_is_refused(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(SettingsError, match="newer Otklik"):
        await migrate.upgrade(database_url)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("LOCALE_PROVIDER libc LOCALE 'C'", "Cyrillic"),
        ("ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'", "Cyrillic"),
        ("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8'", None),
        ("LOCALE_PROVIDER libc LOCALE 'C.UTF-8'", None),
    ],
)
async def test_locale_is_judged_by_what_it_does(
    database_server: str, options: str, words: str | None
) -> None:
    name = f"locale_{uuid4().hex}"
    admin = await asyncpg.connect(database_server.format(database="postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        url = database_server.format(database=name)
        if words is None:
            assert (await migrate.check_server(url)).startswith("18")
        else:
            with pytest.raises(SettingsError, match=words):
                await migrate.check_server(url)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://127.0.0.1:9/x",
        "postgresql://u:geheim@127.0.0.1:9/x",
        "postgresql://nobody@/x?host=/nowhere",
        "postgresql://[",
    ],
)
async def test_unreachable_database_is_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        await migrate.check_server(url)
    assert "geheim" not in str(caught.value)
