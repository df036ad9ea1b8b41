"""How alembic reaches the tables: over the connection `app.core.migrate` hands in, or by DATABASE_URL."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core import migrate, partitions
from app.core.config import load


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=migrate.metadata(),
        include_name=lambda name, kind, _: kind != "table" or not partitions.is_partition(name or ""),
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_hand() -> None:
    url = load().database_url
    if url is None:
        raise SystemExit("Set DATABASE_URL to the database that alembic shall work on.")
    engine = create_async_engine(migrate.for_sqlalchemy(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: SQL scripts are not written.")
given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_by_hand())
else:
    run(given)
