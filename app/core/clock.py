"""The time, in one place: aware, in UTC, and the database's, which all processes share.

What is due is compared there too, so a machine whose own clock is wrong, or jumps, changes nothing.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

EVERY = 20.0
_FAR_SECONDS = 5.0
log = structlog.get_logger(__name__)
_ahead: float | None = None
"""The database's time minus this machine's monotonic one; None before it was asked."""


def now() -> datetime:
    """By the database's clock as it was last read; by this machine's before that."""
    if _ahead is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(time.monotonic() + _ahead, UTC)


async def read(connection: Any) -> None:
    """Set the clock by the database; `connection` is a raw one, or their pool."""
    global _ahead
    asked = time.monotonic()
    told: datetime = await connection.fetchval("select clock_timestamp()")
    answered = time.monotonic()
    before, _ahead = _ahead, told.timestamp() - (asked + answered) / 2
    off = time.time() - told.timestamp()
    if abs(off) > _FAR_SECONDS and (before is None or abs(_ahead - before) > _FAR_SECONDS):
        log.warning("clock.differs", seconds=round(off, 1), hint="This machine and the database disagree.")


async def follow(connection: Any) -> None:
    """Keep the clock right until cancelled; survives the database's absence."""
    while True:
        await asyncio.sleep(EVERY)
        with suppress(Exception):
            await read(connection)
