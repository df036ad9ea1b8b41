"""What a channel's messages need to know of it: how long a dialog may be reopened, whose it is."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.kept import Kept
from channels.models import Channel, ChannelTeam
from dialogs.store import Route

_KEEP_SECONDS = 3.0
_known: Kept[tuple[int, UUID], Route] = Kept(seconds=_KEEP_SECONDS)


async def route(session: AsyncSession, channel_id: UUID, settings: Settings) -> Route:
    """The route of a channel, remembered for seconds: it changes by hand only."""
    found = known(channel_id, settings)
    if found is not None:
        return found
    await _load(session, [channel_id], settings)
    found = known(channel_id, settings)
    assert found is not None, "raw events belong to a channel"
    return found


def known(channel_id: UUID, settings: Settings) -> Route | None:
    """The route, when it was asked for a moment ago."""
    return _known.find((id(settings), channel_id))


async def renew(session: AsyncSession, settings: Settings) -> None:
    """Read the channels in use anew."""
    ids = [channel_id for owner, channel_id in _known.in_use() if owner == id(settings)]
    if ids:
        await _load(session, ids, settings)


_QUERY = (
    select(Channel.id, Channel.kind, func.array_remove(func.array_agg(ChannelTeam.team_id), None))
    .outerjoin(ChannelTeam, ChannelTeam.channel_id == Channel.id)
    .group_by(Channel.id)
)


async def _load(session: AsyncSession, ids: Sequence[UUID], settings: Settings) -> None:
    for channel_id, kind, teams in await session.execute(_QUERY.where(Channel.id.in_(ids))):
        hours = settings.reopen_email_hours if kind == "email" else settings.reopen_messenger_hours
        team_id = teams[0] if len(teams) == 1 else None
        fresh = Route(channel_id=channel_id, kind=kind, reopen=timedelta(hours=hours), team_id=team_id)
        _known.put((id(settings), channel_id), fresh)
