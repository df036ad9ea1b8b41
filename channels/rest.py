"""REST of channels: connecting, changing, pausing them. Their events are in `rest_inbound`."""

from collections.abc import Iterable
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import teams
from app.agents.deps import Admin, BriefAdmin, Caller
from app.core import idempotency
from app.core.config import Settings
from app.core.deps import Config, Db, Session
from channels import accounts, drafts, registry, rest_inbound
from channels.drafts import Box
from channels.models import Channel
from channels.schemas import ChannelChange, ChannelDetails, ChannelKind, ChannelNew, ChannelOut

TITLES = {"telegram": "Telegram", "vk": "VK", "email": "E-mail", "webchat": "Site chat", "api": "API"}

router = APIRouter()
channels = APIRouter(prefix="/channels", tags=["Channels"], route_class=idempotency.Route)


async def list_all(session: AsyncSession, *, ids: Iterable[UUID] | None = None) -> list[ChannelOut]:
    """All channels by name, or those of `ids`."""
    query = select(Channel).order_by(Channel.name, Channel.id)
    if ids is not None:
        query = query.where(Channel.id.in_(list(ids)))
    found = list(await session.scalars(query))
    served = await accounts.teams_of(session, [channel.id for channel in found])
    return [await _shape(channel, served.get(channel.id, [])) for channel in found]


async def _shape(channel: Channel, team_ids: list[UUID]) -> ChannelOut:
    adapter = await drafts.load_kind(channel.kind)
    names = ("id", "kind", "name", "state", "error", "error_code", "error_at", "seen_at")
    return ChannelOut.model_validate(
        {name: getattr(channel, name) for name in names}
        | {
            "title": str(channel.info.get("title", "")),
            "team_ids": team_ids,
            "capabilities": adapter.capabilities,
        }
    )


async def _details(session: AsyncSession, channel: Channel, settings: Settings) -> ChannelDetails:
    (shape,) = await list_all(session, ids=[channel.id])
    return ChannelDetails(
        **shape.model_dump(),
        settings=channel.settings,
        webhook_url=f"{settings.url}/hooks/{channel.webhook_key}",
        embed_code=_embed_code(channel, settings),
    )


def _embed_code(channel: Channel, settings: Settings) -> str | None:
    if channel.kind != "webchat":
        return None
    from channels.webchat.adapter import embed_code

    return embed_code(settings.url, channel.id)


def _box(request: Request) -> Box:
    box: Box = request.app.state.box
    return box


@channels.get("")
async def channel_list(caller: Caller, session: Session) -> list[ChannelOut]:
    """All channels, by name."""
    return await list_all(session)


@channels.get("/kinds")
async def channel_kind_list(caller: BriefAdmin) -> list[ChannelKind]:
    """Kinds that can be connected, with the JSON schema of their settings. Administrators only."""
    found = []
    for kind in registry.ADAPTERS:
        adapter = await drafts.load_kind(kind)
        found.append(
            ChannelKind.model_validate(
                {
                    "kind": kind,
                    "title": TITLES.get(kind, kind),
                    "settings_schema": adapter.Settings.model_json_schema(),
                    "capabilities": adapter.capabilities,
                }
            )
        )
    return found


@channels.post("", status_code=201)
async def channel_create(
    body: ChannelNew, request: Request, caller: BriefAdmin, database: Db, settings: Config
) -> ChannelDetails:
    """Connect an account. It is saved only after a real call to its platform succeeded."""
    team_ids = body.team_ids
    async with database.transaction() as session:
        await idempotency.replay(session, request, agent_id=caller.agent_id)
        if team_ids is None:
            team_ids = await teams.only_team(session)
    channel = await accounts.connect(
        database,
        _box(request),
        settings,
        kind=body.kind,
        name=body.name,
        values=body.settings,
        team_ids=team_ids,
        actor=caller.actor,
        saving=lambda session: idempotency.claim(
            session, request, agent_id=caller.agent_id, database=database
        ),
    )
    async with database.transaction() as session:
        return await _details(session, channel, settings)


@channels.get("/{channel_id}")
async def channel_get(channel_id: UUID, caller: Caller, session: Session, settings: Config) -> ChannelDetails:
    """A channel; administrators also see its settings without secrets, and its addresses."""
    channel = await accounts.get(session, channel_id)
    if caller.is_admin and "admin" in caller.scopes:
        return await _details(session, channel, settings)
    (shape,) = await list_all(session, ids=[channel_id])
    return ChannelDetails(**shape.model_dump())


@channels.patch("/{channel_id}")
async def channel_update(
    channel_id: UUID,
    body: ChannelChange,
    request: Request,
    caller: BriefAdmin,
    database: Db,
    settings: Config,
) -> ChannelDetails:
    """Change a channel. Other settings are tried by a real call before they are saved."""
    channel = await accounts.change(
        database,
        _box(request),
        settings,
        channel_id=channel_id,
        name=body.name,
        values=body.settings,
        team_ids=body.team_ids,
        actor=caller.actor,
    )
    async with database.transaction() as session:
        return await _details(session, channel, settings)


@channels.post("/{channel_id}/pause")
async def channel_pause(
    channel_id: UUID, caller: Admin, session: Session, settings: Config
) -> ChannelDetails:
    """Stop pulling and sending; what platforms push is still stored."""
    channel = await accounts.get(session, channel_id, lock=True)
    await accounts.pause(session, channel, actor=caller.actor)
    return await _details(session, channel, settings)


@channels.post("/{channel_id}/resume")
async def channel_resume(
    channel_id: UUID, request: Request, caller: BriefAdmin, database: Db, settings: Config
) -> ChannelDetails:
    """Make a paused or stopped channel active again, after a real call."""
    channel = await accounts.resume(
        database, _box(request), settings, channel_id=channel_id, actor=caller.actor
    )
    async with database.transaction() as session:
        return await _details(session, channel, settings)


@channels.post("/{channel_id}/check")
async def channel_check(
    channel_id: UUID, request: Request, caller: BriefAdmin, database: Db, settings: Config
) -> ChannelDetails:
    """Call the platform and note what it says; a stopped channel that is well again becomes active."""
    channel = await accounts.check(
        database, _box(request), settings, channel_id=channel_id, actor=caller.actor
    )
    async with database.transaction() as session:
        return await _details(session, channel, settings)


@channels.delete("/{channel_id}", status_code=204)
async def channel_delete(channel_id: UUID, caller: Admin, session: Session) -> None:
    """Remove a channel that never carried a message."""
    channel = await accounts.get(session, channel_id, lock=True)
    await accounts.remove(session, channel, actor=caller.actor)
    await accounts.forget(channel_id)


router.include_router(channels)
router.include_router(rest_inbound.router)
