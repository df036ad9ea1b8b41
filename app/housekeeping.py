"""Forgetting what is of no more use: every hour, in batches, in transactions that never last long."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import sessions
from app.core import facts, idempotency
from app.core.clock import now
from app.core.config import Settings
from app.core.db import Database
from app.core.errors import Unavailable
from app.core.files import Files
from dialogs import housekeeping as dialogs

log = structlog.get_logger()

EVERY = 3600.0


async def turn(db: Database, files: Files, settings: Settings) -> None:
    """Forget all that is due now."""
    before = now() - timedelta(days=settings.keep_facts_days)
    found = {
        "uploads": await _with_files(db, files, dialogs.forget_uploads),
        "customers": await _with_files(db, files, dialogs.forget_orphans),
        "links": await _all(db, dialogs.forget_links),
        "sessions": await _all(db, sessions.forget_expired),
        "answers": await _all(db, idempotency.forget_old),
        "raw_events": await _raw(db, settings),
        "facts": await _all(db, lambda session: facts.forget(session, before=before)),
    }
    if any(found.values()):
        log.info("housekeeping.done", **{name: count for name, count in found.items() if count})


async def _all(db: Database, forget: Callable[[AsyncSession], Awaitable[int]]) -> int:
    total = 0
    while True:
        async with db.transaction() as session:
            count = await forget(session)
        total += count
        if not count:
            return total


async def _with_files(
    db: Database, files: Files, forget: Callable[[AsyncSession], Awaitable[list[str]]]
) -> int:
    """Rows first: a row without its file would be an answer that cannot be sent."""
    total = 0
    while True:
        async with db.transaction() as session:
            keys = await forget(session)
        for key in filter(None, keys):
            try:
                await files.delete(key)
            except Unavailable:
                log.warning("housekeeping.file_left", key=key)
        total += len(keys)
        if not keys:
            return total


async def _raw(db: Database, settings: Settings) -> int:
    before = now() - timedelta(days=settings.keep_raw_days)
    total, after = 0, 0
    while True:
        async with db.transaction() as session:
            count, further = await dialogs.forget_raw(session, before=before, after=after)
        total += count
        if further is None:
            return total
        after = further
