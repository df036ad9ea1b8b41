"""The caller as the policy sees him: who he is, which teams he is in, whose work he leads."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent, TeamMember
from app.core.errors import Forbidden, Unauthenticated
from app.core.facts import Actor

ALL_SCOPES = frozenset({"read", "write", "admin", "inbound"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """An authenticated agent or bot. `mate_ids`: members of a lead's teams; empty for others."""

    agent_id: UUID
    role: str
    team_ids: frozenset[UUID] = frozenset()
    mate_ids: frozenset[UUID] = frozenset()
    scopes: frozenset[str] = ALL_SCOPES
    session_id: UUID | None = None
    token_id: UUID | None = None
    locale: str = "ru"
    time_zone: str = "Europe/Moscow"
    name: str = field(default="", repr=False)
    must_change_password: bool = False

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def actor(self) -> Actor:
        return Actor("agent", self.agent_id)

    def need(self, scope: str) -> None:
        """Raise `Forbidden` unless the token has the scope (and the agent the role, for `admin`)."""
        if scope not in self.scopes:
            raise Forbidden(f"This API token lacks the scope `{scope}`.")
        if scope == "admin" and not self.is_admin:
            raise Forbidden("Only an administrator may do this.")


async def load(
    session: AsyncSession,
    agent_id: UUID,
    *,
    scopes: frozenset[str] = ALL_SCOPES,
    session_id: UUID | None = None,
    token_id: UUID | None = None,
) -> Viewer:
    """The viewer of an active agent; raises `Unauthenticated` when there is none."""
    agent = await session.get(Agent, agent_id)
    if agent is None or not agent.active:
        raise Unauthenticated
    teams = frozenset(
        await session.scalars(select(TeamMember.team_id).where(TeamMember.agent_id == agent_id))
    )
    mates: frozenset[UUID] = frozenset()
    if agent.role == "lead" and teams:
        mates = frozenset(
            await session.scalars(select(TeamMember.agent_id).where(TeamMember.team_id.in_(teams)))
        )
    return Viewer(
        agent_id=agent_id,
        role=agent.role,
        team_ids=teams,
        mate_ids=mates,
        scopes=scopes,
        session_id=session_id,
        token_id=token_id,
        locale=agent.locale,
        time_zone=agent.time_zone,
        name=agent.name,
        must_change_password=agent.must_change_password,
    )
