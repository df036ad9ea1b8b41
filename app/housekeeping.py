"""Making the months to come and forgetting what is of no more use: every hour, in short transactions."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import sessions
from app.core import facts, idempotency, partitions
from app.core.clock import now
from app.core.config import Settings
from app.core.db import Database
from app.core.errors import Unavailable
from app.core.files import Files
from app.core.partitions import Partition
from dialogs import housekeeping as dialogs
from dialogs import retention

log = structlog.get_logger()

EVERY = 3600.0


async def turn(db: Database, files: Files, settings: Settings) -> None:
    """Make the months to come and forget all that is due now."""
    before = now() - timedelta(days=settings.keep_facts_days)
    keys_before = now() - dialogs.REPEATS
    found = {
        "months_made": await partitions.make(db, now=now()),
        "months_of_messages": await _messages(db, files, settings),
        "months_of_raw_events": await _raw_months(db, settings),
        "months_of_facts": await _fact_months(db, before),
        "uploads": await _with_files(db, files, dialogs.forget_uploads),
        "customers": await _with_files(db, files, dialogs.forget_orphans),
        "links": await _all(db, dialogs.forget_links),
        "sessions": await _all(db, sessions.forget_expired),
        "answers": await _all(db, idempotency.forget_old),
        "raw_events": await _raw(db, settings),
        "raw_keys": await _all(db, lambda session: dialogs.forget_raw_keys(session, before=keys_before)),
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
        await _delete(files, keys)
        total += len(keys)
        if not keys:
            return total


async def _delete(files: Files, keys: list[str]) -> None:
    for key in filter(None, keys):
        try:
            await files.delete(key)
        except Unavailable:
            log.warning("housekeeping.file_left", key=key)


async def _dropped(db: Database, month: Partition, drop: Callable[[AsyncSession], Awaitable[None]]) -> bool:
    """Whether a month is gone; when its table is busy, or somebody else was quicker, there is a next time."""
    try:
        async with db.transaction() as session:
            await drop(session)
    except DBAPIError as error:
        log.warning("housekeeping.month_left", month=month.name, reason=type(error.orig).__name__)
        return False
    return True


async def _fact_months(db: Database, before: datetime) -> int:
    count = 0
    async with db.transaction() as session:
        months = await partitions.older(session, "facts", than=before)
    for month in months:
        count += await _dropped(db, month, partial(facts.forget_month, month=month))
    return count


async def _raw_months(db: Database, settings: Settings) -> int:
    before, count = now() - timedelta(days=settings.keep_raw_days), 0
    async with db.transaction() as session:
        months = await partitions.older(session, "inbound", than=before)
    for month in months:
        count += await _dropped(db, month, partial(dialogs.forget_raw_month, month=month, before=before))
    return count


async def _messages(db: Database, files: Files, settings: Settings) -> int:
    """Months of messages with their files. Dialogs and customers stay."""
    if not settings.keep_messages_months:
        return 0
    before = partitions.later(partitions.month(now()), -settings.keep_messages_months)
    async with db.transaction() as session:
        months = await retention.due(session, before=before)
    count = 0
    for month in months:
        after: UUID | None = UUID(int=0)
        while after is not None:
            async with db.transaction() as session:
                keys, after = await retention.forget_belongings(session, month, after=after)
            await _delete(files, keys)
        count += await _dropped(db, month, partial(retention.forget_month, month=month))
    return count


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
