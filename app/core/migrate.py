"""Bringing a database to the schema of this program, and telling whether it is there.

Many processes may start at once: an advisory lock lets one of them migrate and the others wait.
"""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import SettingsError
from app.core.schema import Base

MODELS = (
    "app.core.models",
    "app.agents.models",
    "channels.models",
    "dialogs.models",
    "dialogs.acts",
    "dialogs.identity_models",
    "dialogs.message_keys",
    "tasks.models",
)
_LOCK = 0x6F746B6C696B  # "otklik"
_FOLDER = Path(__file__).resolve().parent.parent.parent / "migrations"


def metadata() -> MetaData:
    """The tables of all slices. The only place below them that names them, by string."""
    for name in MODELS:
        importlib.import_module(name)
    return Base.metadata


def for_sqlalchemy(url: str) -> str:
    scheme, rest = url.split("://", 1)
    return f"postgresql+asyncpg://{rest}" if scheme in ("postgres", "postgresql") else url


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def _run(url: str, action: Callable[[Connection], None]) -> None:
    engine = create_async_engine(for_sqlalchemy(url), poolclass=NullPool, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(action)
            await connection.commit()
    finally:
        await engine.dispose()


@asynccontextmanager
async def _exclusive(url: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield
    finally:
        await connection.close(timeout=5)


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrate to `revision`; does nothing when the database is there already."""
    if revision == "head" and not await pending(url):
        return
    async with _exclusive(url):
        await _run(url, lambda connection: command.upgrade(_config(connection), revision))


async def downgrade(url: str, revision: str) -> None:
    """Undo the migrations after `revision` (`base`: all of them)."""
    async with _exclusive(url):
        await _run(url, lambda connection: command.downgrade(_config(connection), revision))


async def pending(url: str) -> bool:
    """Whether the database lacks a migration of this program.

    Raises `SettingsError` when the database was migrated by a newer program.
    """
    script = ScriptDirectory.from_config(_config())
    found: set[str] = set()

    def look(connection: Connection) -> None:
        found.update(MigrationContext.configure(connection).get_current_heads())

    await _run(url, look)
    unknown = found - {revision.revision for revision in script.walk_revisions()}
    if unknown:
        raise SettingsError(
            f"The database was migrated by a newer Otklik (revision {', '.join(sorted(unknown))}): "
            "start that version."
        )
    return found != set(script.get_heads())


async def check_server(url: str) -> str:
    """The server's version; raises `SettingsError` when Otklik cannot work on that database."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise SettingsError(f"The database of DATABASE_URL cannot be reached: {reason}.") from None
    try:
        number = int(await connection.fetchval("SHOW server_version_num"))
        # Behaviour decides, not the name of the locale: search and sorting out of people need these.
        good = await connection.fetchval(
            "SELECT lower('ПРИВЕТ') = 'привет' AND 'Привет' ILIKE 'ПРИВЕТ'"
            " AND pg_encoding_to_char(encoding) = 'UTF8' FROM pg_database WHERE datname = current_database()"
        )
        version = str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close(timeout=5)
    if number < 180000:
        raise SettingsError(f"DATABASE_URL leads to PostgreSQL {version}: Otklik needs version 18 or newer.")
    if not good:
        raise SettingsError(
            "The database of DATABASE_URL does not know Cyrillic letters: create it with ENCODING 'UTF8' "
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8' TEMPLATE template0."
        )
    return version.split()[0]
