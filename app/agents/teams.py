"""Teams: agents who share a queue. Facts `team.created`, `team.changed`, `team.removed`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.errors import NameTaken
from app.agents.models import Agent, Team, TeamMember
from app.agents.schemas import TeamOut
from app.core import facts
from app.core.errors import Conflict, Invalid, NotFound
from app.core.facts import Actor


async def create(session: AsyncSession, *, name: str, actor: Actor, member_ids: Sequence[UUID] = ()) -> Team:
    team = Team(name=name)
    session.add(team)
    await _flush(session)
    await _set_members(session, team.id, member_ids)
    await facts.record(session, "team.created", actor=actor, team_id=team.id)
    return team


async def change(
    session: AsyncSession,
    team: Team,
    *,
    actor: Actor,
    name: str | None = None,
    member_ids: Sequence[UUID] | None = None,
) -> None:
    """What is None stays; `member_ids` replaces all members."""
    if name is not None:
        team.name = name
        await _flush(session)
    if member_ids is not None:
        await session.execute(delete(TeamMember).where(TeamMember.team_id == team.id))
        await _set_members(session, team.id, member_ids)
    await facts.record(session, "team.changed", actor=actor, team_id=team.id)


async def remove(session: AsyncSession, team: Team, *, actor: Actor) -> None:
    """Remove a team that has no dialogs and no tasks."""
    await session.execute(delete(TeamMember).where(TeamMember.team_id == team.id))
    try:
        await session.execute(delete(Team).where(Team.id == team.id))
    except IntegrityError:
        raise Conflict("The team has dialogs or tasks: give them to another team first.") from None
    await facts.record(session, "team.removed", actor=actor, team_id=team.id)


async def get(session: AsyncSession, team_id: UUID) -> Team:
    team = await session.get(Team, team_id, with_for_update=True)
    if team is None:
        raise NotFound
    return team


async def list_all(session: AsyncSession, *, ids: Iterable[UUID] | None = None) -> list[TeamOut]:
    """All teams by name, or those of `ids`, with their members."""
    query = select(Team).order_by(Team.name, Team.id)
    if ids is not None:
        query = query.where(Team.id.in_(list(ids)))
    teams = list(await session.scalars(query))
    members: defaultdict[UUID, list[UUID]] = defaultdict(list)
    rows = await session.execute(
        select(TeamMember.team_id, TeamMember.agent_id)
        .where(TeamMember.team_id.in_([team.id for team in teams]))
        .order_by(TeamMember.agent_id)
    )
    for team_id, agent_id in rows:
        members[team_id].append(agent_id)
    return [TeamOut(id=team.id, name=team.name, member_ids=members[team.id]) for team in teams]


async def only_team(session: AsyncSession) -> list[UUID]:
    """The team, when there is but one; else nothing."""
    ids = list(await session.scalars(select(Team.id).limit(2)))
    return ids if len(ids) == 1 else []


async def need(session: AsyncSession, team_ids: set[UUID]) -> None:
    """Raise `Invalid` unless all these teams exist; keeps them from being removed meanwhile."""
    found = set(
        await session.scalars(select(Team.id).where(Team.id.in_(team_ids)).with_for_update(read=True))
    )
    if found != team_ids:
        raise Invalid("A team of `team_ids` does not exist.", field="team_ids")


async def _set_members(session: AsyncSession, team_id: UUID, member_ids: Sequence[UUID]) -> None:
    wanted = set(member_ids)
    found = set(await session.scalars(select(Agent.id).where(Agent.id.in_(wanted))))
    if found != wanted:
        raise Invalid("An agent of `member_ids` does not exist.", field="member_ids")
    session.add_all(TeamMember(team_id=team_id, agent_id=agent_id) for agent_id in wanted)
    await session.flush()


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_teams_name" in str(error.orig):
            raise NameTaken from None
        raise
