"""Preparing a channel's transport when it becomes active (webhook set or removed), until that succeeds."""

import random
from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.db import Database
from channels import health
from channels.adapters import open
from channels.base import DeliveryError, Unauthorized
from channels.drafts import Box
from channels.models import Channel

log = structlog.get_logger()

_AT_ONCE = timedelta(minutes=2)
"""So long whoever activated the channel may take for it, or whoever has claimed it."""
_LONGEST = timedelta(minutes=10)

DUE = "select min(start_due_at) from channels where state = 'active'"
"""When the next channel is to be started."""


def due(channel: Channel) -> None:
    """The channel is to be started; the caller does it after the commit, or else a worker."""
    channel.start_due_at, channel.start_attempts = func.now() + _AT_ONCE, 0


async def start(database: Database, box: Box, settings: Settings, channel: Channel) -> None:
    """Prepare the transport. A failure is noted on the channel, and repeated by the workers."""
    try:
        adapter = await open(channel, box, settings)
        await adapter.start()
    except DeliveryError as error:
        await health.note_failure(database, channel.id, error)
        await _settle(database, channel, again=not isinstance(error, Unauthorized))
    except Exception:
        log.exception("channel.start_failed", channel_id=str(channel.id))
        await _settle(database, channel, again=True)
    else:
        await _settle(database, channel, again=False)
        await _contact(database, channel)


async def _contact(database: Database, channel: Channel) -> None:
    """The platform answered: an error of the times before is over."""
    async with database.transaction() as session:
        fresh = await health.find(session, channel.id, lock=True)
        if fresh is not None:
            await health.contact(session, fresh)


async def _settle(database: Database, channel: Channel, *, again: bool) -> None:
    pause = min(_LONGEST, timedelta(seconds=2.0 ** min(20, channel.start_attempts)))
    pause *= random.uniform(0.8, 1.2)  # noqa: S311
    async with database.transaction() as session:
        await session.execute(
            update(Channel)
            .where(Channel.id == channel.id, Channel.start_due_at == channel.start_due_at)
            .values(
                start_due_at=func.now() + pause if again else None,
                start_attempts=Channel.start_attempts + 1 if again else 0,
            )
        )


async def turn(database: Database, box: Box, settings: Settings) -> bool:
    """Start one channel that is due; False when there is none. One turn of a loop."""
    async with database.transaction() as session:
        channel = await _claim(session)
    if channel is None:
        return False
    await start(database, box, settings, channel)
    return True


async def _claim(session: AsyncSession) -> Channel | None:
    query = (
        select(Channel)
        .where(Channel.state == "active", Channel.start_due_at <= func.now())
        .order_by(Channel.start_due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    channel = await session.scalar(query)
    if channel is not None:
        channel.start_due_at = func.now() + _AT_ONCE
        await session.flush()
        await session.refresh(channel)
    return channel
