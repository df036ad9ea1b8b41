"""What every endpoint may ask for: the settings, the database, one transaction."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.core.config import Settings
from app.core.db import Database


async def _settings(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


async def _database(connection: HTTPConnection) -> Database:
    database: Database = connection.app.state.database
    return database


async def _session(database: Annotated[Database, Depends(_database)]) -> AsyncIterator[AsyncSession]:
    async with database.transaction() as session:
        yield session


Config = Annotated[Settings, Depends(_settings)]
Db = Annotated[Database, Depends(_database)]
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
"""One request is one transaction: committed before the answer leaves (scope="function")."""
