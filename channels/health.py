"""How a connected channel is: paused, stopped, its last contact, its last error. Fact `channel.changed`."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.clock import now
from app.core.db import Database
from app.core.errors import NotFound
from app.core.facts import SYSTEM, Actor
from channels.base import DeliveryError, Unauthorized
from channels.models import Channel

_CONTACT_EVERY = timedelta(minutes=1)


async def note_failure(database: Database, channel_id: UUID, error: DeliveryError) -> None:
    """Show a failed call on the channel; refused credentials stop it."""
    async with database.transaction() as session:
        channel = await find(session, channel_id, lock=True)
        if channel is None:
            return
        if isinstance(error, Unauthorized):
            await stop(session, channel, error)
        else:
            await warn(session, channel, error)


async def pause(session: AsyncSession, channel: Channel, *, actor: Actor) -> None:
    """Nothing is pulled or sent until it is resumed; webhooks are still stored."""
    channel.state = "paused"
    await tell(session, channel, actor)


async def stop(session: AsyncSession, channel: Channel, error: DeliveryError) -> None:
    """The platform refused our credentials: nothing goes on until somebody changes them."""
    news = channel.state == "active"
    if news:
        channel.state = "stopped"
    await warn(session, channel, error, news=news)


async def warn(session: AsyncSession, channel: Channel, error: DeliveryError, *, news: bool = False) -> None:
    """Show an error on the channel; the log hears of it only when it is another one."""
    news = news or (channel.error, channel.error_code) != (error.reason, error.code)
    channel.error, channel.error_code, channel.error_at = error.reason, error.code, now()
    if news:
        await tell(session, channel, SYSTEM)


def contact_due(channel: Channel) -> bool:
    """A contact is news: the last one is a minute ago, or was an error."""
    fresh = channel.seen_at is not None and now() - channel.seen_at < _CONTACT_EVERY
    return channel.state == "active" and (channel.error is not None or not fresh)


async def contact(session: AsyncSession, channel: Channel) -> None:
    """The platform answered or called: written at most every minute, or when an error is over."""
    if not contact_due(channel):
        return
    await session.execute(
        update(Channel)
        .where(Channel.id == channel.id, Channel.state == "active")
        .values(seen_at=now(), error=None, error_code=None, error_at=None)
    )
    if channel.error is not None:
        await tell(session, channel, SYSTEM)


async def tell(session: AsyncSession, channel: Channel, actor: Actor) -> None:
    """Record that the channel is not as it was."""
    await facts.record(session, "channel.changed", actor=actor, channel_id=channel.id)


async def find(session: AsyncSession, channel_id: UUID, *, lock: bool = False) -> Channel | None:
    return await session.get(Channel, channel_id, with_for_update=lock or None)


async def get(session: AsyncSession, channel_id: UUID, *, lock: bool = False) -> Channel:
    channel = await find(session, channel_id, lock=lock)
    if channel is None:
        raise NotFound
    return channel
