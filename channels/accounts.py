"""Connected accounts: connecting, changing, checking, removing them. Facts `channel.*`.

A platform is called with no transaction open, and an account is saved only after a real call
succeeded: those functions take the database, the others the session.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import teams
from app.core import facts
from app.core.clock import now
from app.core.config import Settings
from app.core.db import Database
from app.core.errors import Conflict
from app.core.facts import SYSTEM, Actor
from channels import drafts, health, starting
from channels.adapters import close_all, forget, open
from channels.base import AccountInfo, DeliveryError
from channels.drafts import Box, Draft
from channels.errors import ChannelExists, ChannelRefused
from channels.health import contact, contact_due, find, get, note_failure, pause, stop, warn
from channels.models import Channel, ChannelTeam, InboundKey

__all__ = ["contact", "contact_due", "find", "get", "note_failure", "pause", "stop", "warn"]
__all__ += ["change", "check", "close_all", "connect", "forget", "open", "resume"]


# --- calling the platform: no transaction is open meanwhile ---------------------------------


async def connect(
    database: Database,
    box: Box,
    settings: Settings,
    *,
    kind: str,
    name: str,
    values: Mapping[str, Any],
    team_ids: Sequence[UUID],
    actor: Actor = SYSTEM,
    saving: Callable[[AsyncSession], Awaitable[None]] | None = None,
) -> Channel:
    """Check an account and save it; raises `Invalid`, `ChannelRefused`, `ChannelExists`.

    `saving` is called in the transaction that saves it, and may refuse.
    """
    async with database.transaction() as session:
        await teams.need(session, set(team_ids))
        id = await drafts.new_id(session)
    draft = await drafts.draft(id, kind=kind, name=name, settings=values)
    info = await _ask(draft, settings)
    async with database.transaction() as session:
        if saving is not None:
            await saving(session)
        channel = await add(session, box, draft, info, team_ids=team_ids, actor=actor)
    await starting.start(database, box, settings, channel)
    async with database.transaction() as session:
        return await get(session, channel.id)


async def change(
    database: Database,
    box: Box,
    settings: Settings,
    *,
    channel_id: UUID,
    name: str | None = None,
    values: Mapping[str, Any] | None = None,
    team_ids: Sequence[UUID] | None = None,
    actor: Actor = SYSTEM,
) -> Channel:
    """Change what is not None. Other settings are checked by a real call before they are saved."""
    async with database.transaction() as session:
        channel = await get(session, channel_id)
    draft = info = None
    if values is not None:
        draft = await drafts.redraft(channel, box, name=name, settings=values)
        info = await _ask(draft, settings)
        if info.external_id != channel.external_id:
            raise Conflict("These settings belong to another account: connect it as a channel of its own.")
    async with database.transaction() as session:
        channel = await get(session, channel_id, lock=True)
        channel.name = name or channel.name
        if draft is not None and info is not None:
            _save(channel, box, draft, info)
            starting.due(channel)
        if team_ids is not None:
            await set_teams(session, channel_id, team_ids)
        await health.tell(session, channel, actor)
        await session.refresh(channel)
    if draft is not None and channel.state == "active":
        await starting.start(database, box, settings, channel)
    return channel


async def check(
    database: Database,
    box: Box,
    settings: Settings,
    *,
    channel_id: UUID,
    actor: Actor = SYSTEM,
    activate: bool = False,
) -> Channel:
    """Call the platform; notes what it said. A stopped channel that is well again becomes active.

    `activate`: a paused one as well. Raises `ChannelRefused`; the reason is then noted on the channel.
    """
    async with database.transaction() as session:
        channel = await get(session, channel_id)
    draft = await drafts.redraft(channel, box)
    try:
        info = await drafts.ask(draft, url=settings.url)
    except DeliveryError as error:
        await note_failure(database, channel_id, error)
        raise _refused(error) from None
    async with database.transaction() as session:
        channel = await get(session, channel_id, lock=True)
        starts = channel.state == "stopped" or (activate and channel.state == "paused")
        if starts:
            channel.state = "active"
            starting.due(channel)
        _learn(channel, info)
        await health.tell(session, channel, actor)
        await session.refresh(channel)
    if starts:
        await starting.start(database, box, settings, channel)
    return channel


async def resume(
    database: Database, box: Box, settings: Settings, *, channel_id: UUID, actor: Actor = SYSTEM
) -> Channel:
    """Make a paused or stopped channel active, after a real call."""
    return await check(database, box, settings, channel_id=channel_id, actor=actor, activate=True)


async def _ask(draft: Draft, settings: Settings) -> AccountInfo:
    try:
        return await drafts.ask(draft, url=settings.url)
    except DeliveryError as error:
        raise _refused(error) from None


def _refused(error: DeliveryError) -> ChannelRefused:
    return ChannelRefused(error.reason, reason_code=error.code)


# --- state ----------------------------------------------------------------------------------


async def add(
    session: AsyncSession,
    box: Box,
    draft: Draft,
    info: AccountInfo,
    *,
    team_ids: Sequence[UUID],
    actor: Actor,
) -> Channel:
    """Save a checked account; raises `ChannelExists`."""
    channel = Channel(
        id=draft.id,
        kind=draft.kind,
        external_id=info.external_id,
        webhook_key=draft.webhook_key,
        name=draft.name or info.title,
    )
    _save(channel, box, draft, info)
    starting.due(channel)
    session.add(channel)
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_channels_kind" in str(error.orig):
            raise ChannelExists from None
        raise
    await set_teams(session, channel.id, team_ids)
    await facts.record(session, "channel.created", actor=actor, channel_id=channel.id)
    await session.refresh(channel)
    return channel


def _save(channel: Channel, box: Box, draft: Draft, info: AccountInfo) -> None:
    channel.settings = draft.public()
    channel.secrets = box.seal(draft.secrets())
    _learn(channel, info)
    if channel.state == "stopped":
        channel.state = "active"


def _learn(channel: Channel, info: AccountInfo) -> None:
    """Keep what the check found out; settings that it names (a confirmation code) take its values."""
    news = {name: value for name, value in info.facts.items() if name in channel.settings}
    channel.settings = {**channel.settings, **news}
    channel.info = {**info.facts, "title": info.title}
    channel.error = channel.error_code = channel.error_at = None
    channel.seen_at = now()


async def remove(session: AsyncSession, channel: Channel, *, actor: Actor) -> None:
    """Remove a channel that never carried a message."""
    if await session.scalar(select(exists().where(InboundKey.channel_id == channel.id))):
        raise Conflict("The channel has carried messages: pause it instead.")
    try:
        await session.execute(delete(Channel).where(Channel.id == channel.id))
    except IntegrityError:
        raise Conflict("The channel has carried messages: pause it instead.") from None
    await facts.record(session, "channel.removed", actor=actor, channel_id=channel.id)


async def set_teams(session: AsyncSession, channel_id: UUID, team_ids: Iterable[UUID]) -> None:
    """Which teams serve the channel."""
    wanted = set(team_ids)
    await teams.need(session, wanted)
    await session.execute(delete(ChannelTeam).where(ChannelTeam.channel_id == channel_id))
    session.add_all(ChannelTeam(channel_id=channel_id, team_id=team_id) for team_id in wanted)
    await session.flush()


async def teams_of(session: AsyncSession, channel_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Serving teams by channel."""
    rows = await session.execute(
        select(ChannelTeam.channel_id, ChannelTeam.team_id)
        .where(ChannelTeam.channel_id.in_(list(channel_ids)))
        .order_by(ChannelTeam.team_id)
    )
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for channel_id, team_id in rows:
        found[channel_id].append(team_id)
    return found
