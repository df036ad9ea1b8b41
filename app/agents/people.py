"""Agents: making, changing, deactivating. Facts `agent.created` and `agent.changed`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import sessions, teams
from app.agents.errors import EmailTaken, LastAdmin
from app.agents.models import Agent, TeamMember
from app.agents.schemas import AgentOut
from app.core import facts
from app.core.errors import Invalid, NotFound
from app.core.facts import Actor


@dataclass(frozen=True, slots=True)
class NewAgent:
    """Values of an agent to be made. `password_hash` is None for bots, who cannot sign in."""

    name: str
    email: str | None
    password_hash: str | None
    role: str = "agent"
    is_bot: bool = False
    locale: str = "ru"
    time_zone: str = "Europe/Moscow"
    must_change_password: bool = False


async def create(
    session: AsyncSession, new: NewAgent, *, actor: Actor, team_ids: Sequence[UUID] | None = None
) -> Agent:
    """A new agent in `team_ids`; left out: in the only team, when there is but one."""
    if not new.is_bot and not new.email:
        raise Invalid("People need an `email` to sign in.", field="email")
    agent = Agent(
        name=new.name,
        email=new.email.lower() if new.email else None,
        password_hash=new.password_hash,
        role=new.role,
        is_bot=new.is_bot,
        locale=new.locale,
        time_zone=new.time_zone,
        must_change_password=new.must_change_password,
    )
    session.add(agent)
    await _flush(session)
    if team_ids is None:
        team_ids = await teams.only_team(session)
    await _join(session, agent.id, team_ids)
    await facts.record(session, "agent.created", actor=actor, agent_id=agent.id)
    return agent


async def change(
    session: AsyncSession,
    agent: Agent,
    values: dict[str, Any],
    *,
    actor: Actor,
    team_ids: Sequence[UUID] | None = None,
) -> None:
    """Set columns of the agent and his teams; ends his sessions when he may no longer sign in."""
    loses_admin = values.get("active") is False or values.get("role", "admin") != "admin"
    if loses_admin:
        await _keep_an_admin(session, agent)
    if values.get("email", "") is None and not agent.is_bot:
        raise Invalid("People need an `email` to sign in.", field="email")
    for name, value in values.items():
        setattr(agent, name, value)
    await _flush(session)
    if team_ids is not None:
        await session.execute(delete(TeamMember).where(TeamMember.agent_id == agent.id))
        await _join(session, agent.id, team_ids)
    if not agent.active:
        await sessions.end_all(session, agent_id=agent.id)
    fields = sorted([*(set(values) - {"password_hash"}), *(["team_ids"] if team_ids is not None else [])])
    await facts.record(session, "agent.changed", actor=actor, agent_id=agent.id, data={"fields": fields})


async def set_password(
    session: AsyncSession,
    agent: Agent,
    password_hash: str,
    *,
    actor: Actor,
    must_change: bool = False,
    keep_session: UUID | None = None,
) -> None:
    """Another password; ends all sessions but `keep_session`."""
    if agent.is_bot:
        raise Invalid("A bot has no password; make an API token for it.")
    agent.password_hash = password_hash
    agent.must_change_password = must_change
    await end_sessions(session, agent_id=agent.id, actor=actor, keep=keep_session)


async def end_sessions(
    session: AsyncSession, *, agent_id: UUID, actor: Actor, keep: UUID | None = None
) -> None:
    """End the agent's sessions, all but `keep`, and say so in the log."""
    await sessions.end_all(session, agent_id=agent_id, keep=keep)
    await announce_ended(session, agent_id=agent_id, actor=actor)


async def announce_ended(session: AsyncSession, *, agent_id: UUID, actor: Actor) -> None:
    """Say in the log that sessions of the agent have ended; their sockets are then closed."""
    await facts.record(
        session, "agent.changed", actor=actor, agent_id=agent_id, data={"fields": ["sessions"]}
    )


async def get(session: AsyncSession, agent_id: UUID) -> Agent:
    agent = await session.get(Agent, agent_id, with_for_update=True)
    if agent is None:
        raise NotFound
    return agent


async def find_by_email(session: AsyncSession, email: str) -> Agent | None:
    return await session.scalar(select(Agent).where(func.lower(Agent.email) == email.strip().lower()))


async def list_all(session: AsyncSession, *, ids: Iterable[UUID] | None = None) -> list[AgentOut]:
    """All agents by name, or those of `ids`, with their teams."""
    query = select(Agent).order_by(Agent.name, Agent.id)
    if ids is not None:
        query = query.where(Agent.id.in_(list(ids)))
    agents = list(await session.scalars(query))
    memberships = await session.execute(
        select(TeamMember.agent_id, TeamMember.team_id)
        .where(TeamMember.agent_id.in_([agent.id for agent in agents]))
        .order_by(TeamMember.team_id)
    )
    by_agent: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for agent_id, team_id in memberships:
        by_agent[agent_id].append(team_id)
    return [shape(agent, by_agent[agent.id]) for agent in agents]


def shape(agent: Agent, team_ids: Sequence[UUID]) -> AgentOut:
    return AgentOut.model_validate(
        {name: getattr(agent, name) for name in AgentOut.model_fields if name != "team_ids"}
        | {"team_ids": list(team_ids)}
    )


async def _join(session: AsyncSession, agent_id: UUID, team_ids: Iterable[UUID]) -> None:
    wanted = set(team_ids)
    await teams.need(session, wanted)
    session.add_all(TeamMember(team_id=team_id, agent_id=agent_id) for team_id in wanted)
    await session.flush()


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_agents_email" in str(error.orig):
            raise EmailTaken from None
        raise


async def _keep_an_admin(session: AsyncSession, agent: Agent) -> None:
    """Lock all administrators, so that two cannot remove each other at the same moment."""
    admins = await session.scalars(
        select(Agent.id)
        .where(Agent.role == "admin", Agent.active, ~Agent.is_bot)
        .order_by(Agent.id)
        .with_for_update()
    )
    if set(admins) == {agent.id}:
        raise LastAdmin
