"""What commands share: settings, logging and a database for the time of one command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

    from app.core.config import Settings
    from app.core.db import Database

T = TypeVar("T")
M = TypeVar("M", bound="BaseModel")


def settings_and_logs() -> Settings:
    from app.core import logs
    from app.core.config import load

    settings = load()
    logs.setup(level=settings.log_level, json=settings.log_json)
    return settings


@contextmanager
def database_at_hand(settings: Settings) -> Iterator[Settings]:
    """`settings` with a database: the given one, a running `up`'s, or the embedded one started for now."""
    from app.core import embedded, runtime

    if settings.database_url or runtime.find(settings.data_dir):
        yield runtime.with_database(settings)
        return
    server = embedded.start(settings.data_dir)
    try:
        yield settings.model_copy(update={"database_url": server.url()})
    finally:
        server.stop()


def run_with_database(action: Callable[[Database, Settings], Awaitable[T]], *, migrate: bool = True) -> T:
    """Run `action` on an open, migrated database. For every command that is not a program of its own."""
    with database_at_hand(settings_and_logs()) as settings:
        return asyncio.run(_run(action, settings, migrate=migrate))


async def _run(
    action: Callable[[Database, Settings], Awaitable[T]], settings: Settings, *, migrate: bool
) -> T:
    from app.core import migrate as migrations
    from app.core.db import Database

    assert settings.database_url
    if migrate:
        await migrations.check_server(settings.database_url)
        await migrations.upgrade(settings.database_url)
    database = Database(settings.database_url, pool_size=2)
    await database.open()
    try:
        return await action(database, settings)
    finally:
        await database.close()


def said(model: type[M], **values: object) -> M:
    """Arguments of a command as a model of the API; raises `Invalid` with one sentence."""
    from pydantic import ValidationError

    from app.core.errors import Invalid

    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None
