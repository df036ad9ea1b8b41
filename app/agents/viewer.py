"""The caller as the policy sees him: who he is, which teams he is in, whose work he leads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

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


_own = select(TeamMember.team_id).where(TeamMember.agent_id == Agent.id)
_others = aliased(TeamMember)
_mates = select(_others.agent_id).where(Agent.role == "lead", _others.team_id.in_(_own.correlate(Agent)))
PERSON = (
    Agent,
    func.array(_own.correlate(Agent).scalar_subquery(), type_=ARRAY(PgUUID)),
    func.array(_mates.correlate(Agent).scalar_subquery(), type_=ARRAY(PgUUID)),
)
"""What `of` needs, to be selected beside what names the agent: every call asks for it."""


def of(
    agent: Agent,
    teams: Iterable[UUID],
    mates: Iterable[UUID],
    *,
    scopes: frozenset[str] = ALL_SCOPES,
    session_id: UUID | None = None,
    token_id: UUID | None = None,
) -> Viewer:
    """The viewer of an active agent; raises `Unauthenticated` when he is not."""
    if not agent.active:
        raise Unauthenticated
    return Viewer(
        agent_id=agent.id,
        role=agent.role,
        team_ids=frozenset(teams),
        mate_ids=frozenset(mates),
        scopes=scopes,
        session_id=session_id,
        token_id=token_id,
        locale=agent.locale,
        time_zone=agent.time_zone,
        name=agent.name,
        must_change_password=agent.must_change_password,
    )


async def load(session: AsyncSession, agent_id: UUID) -> Viewer:
    """The viewer of an agent by id; raises `Unauthenticated` when there is none."""
    row = (await session.execute(select(*PERSON).where(Agent.id == agent_id))).one_or_none()
    if row is None:
        raise Unauthenticated
    return of(*row)
