"""All findings at once: each look bounded in time, and none the end of the others."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from app.core.config import Settings
from app.core.db import RawConnection
from app.diagnosis import machine, server, work
from app.diagnosis.finding import LEVELS, Finding

_SECONDS = 10
_LOOKS: tuple[Callable[[RawConnection], Awaitable[list[Finding]]], ...] = (
    work.late,
    work.workers,
    work.channels,
    server.transactions,
    server.connections,
    server.tables,
    server.statements,
    server.settings,
    server.clock,
)


def at_machine(settings: Settings) -> list[Finding]:
    """What can be seen without a database."""
    return [*machine.space(settings), *machine.disk(settings), *machine.cores(settings)]


async def at_database(url: str) -> list[Finding]:
    """What a migrated database tells."""
    options = {"application_name": "otklik doctor", "statement_timeout": f"{_SECONDS}s", "timezone": "UTC"}
    connection = await asyncpg.connect(url, timeout=_SECONDS, server_settings=options)
    try:
        return [finding for look in _LOOKS for finding in await _safely(look, connection)]
    finally:
        await connection.close(timeout=5)


async def _safely(
    look: Callable[[RawConnection], Awaitable[list[Finding]]], connection: RawConnection
) -> list[Finding]:
    try:
        async with asyncio.timeout(_SECONDS):
            return await look(connection)
    except (asyncpg.PostgresError, TimeoutError) as error:
        return [Finding("note", "not_looked", look.__name__, {"reason": type(error).__name__})]


def worst(findings: list[Finding]) -> int:
    """0: nothing that matters; 1: a warning; 2: something is broken."""
    return max((LEVELS.index(finding.level) for finding in findings), default=0)
