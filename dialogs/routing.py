"""What a channel's messages need to know of it: how long a dialog may be reopened, whose it is."""

import time
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from channels.models import Channel, ChannelTeam
from dialogs.store import Route

_KEEP_SECONDS = 3.0
_known: dict[tuple[int, UUID], tuple[float, Route]] = {}


async def route(session: AsyncSession, channel_id: UUID, settings: Settings) -> Route:
    """The route of a channel, remembered for seconds: it changes by hand only."""
    found = known(channel_id, settings)
    if found is not None:
        return found
    if len(_known) > 1000:
        _known.clear()
    fresh = await _load(session, channel_id, settings)
    _known[id(settings), channel_id] = (time.monotonic() + _KEEP_SECONDS, fresh)
    return fresh


def known(channel_id: UUID, settings: Settings) -> Route | None:
    """The route, when it was asked for a moment ago."""
    found = _known.get((id(settings), channel_id))
    return found[1] if found and found[0] > time.monotonic() else None


async def _load(session: AsyncSession, channel_id: UUID, settings: Settings) -> Route:
    kind = await session.scalar(select(Channel.kind).where(Channel.id == channel_id))
    assert kind is not None, "raw events belong to a channel"
    teams = list(
        await session.scalars(select(ChannelTeam.team_id).where(ChannelTeam.channel_id == channel_id))
    )
    hours = settings.reopen_email_hours if kind == "email" else settings.reopen_messenger_hours
    return Route(
        channel_id=channel_id,
        kind=kind,
        reopen=timedelta(hours=hours),
        team_id=teams[0] if len(teams) == 1 else None,
    )
