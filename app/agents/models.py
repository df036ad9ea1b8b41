"""Agents, teams, sessions and API tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base, created, one_of, uid

ROLES = ("agent", "lead", "admin")
LOCALES = ("ru", "en")


class Agent(Base):
    """Who works here. A bot is an agent without a password."""

    __tablename__ = "agents"

    id: Mapped[uid]
    name: Mapped[str]
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default="agent")
    is_bot: Mapped[bool] = mapped_column(server_default=text("false"))
    locale: Mapped[str] = mapped_column(server_default="ru")
    time_zone: Mapped[str] = mapped_column(server_default="Europe/Moscow")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[created]

    __table_args__ = (
        CheckConstraint(one_of("role", ROLES), name="role"),
        CheckConstraint(one_of("locale", LOCALES), name="locale"),
        CheckConstraint("is_bot or email is not null", name="email_of_people"),
        Index("uq_agents_email", func.lower(text("email")), unique=True),
    )


class Team(Base):
    """Agents who share a queue."""

    __tablename__ = "teams"

    id: Mapped[uid]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[created]


class TeamMember(Base):
    __tablename__ = "team_members"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class LoginSession(Base):
    """A signed-in browser; the cookie's token is kept as a hash only."""

    __tablename__ = "sessions"

    id: Mapped[uid]
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_agent: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[created]
    seen_at: Mapped[created]
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A token of an agent for programs; kept as a hash only."""

    __tablename__ = "api_tokens"

    id: Mapped[uid]
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[created]
    expires_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
