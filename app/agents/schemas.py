"""What the API says and takes about agents, teams, sessions and tokens."""

import zoneinfo
from datetime import datetime
from functools import cache
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from app.agents.passwords import MAX_LENGTH, MIN_LENGTH
from app.core.text import Name, ShortText

Role = Literal["agent", "lead", "admin"]
Locale = Literal["ru", "en"]
Scope = Literal["read", "write", "admin", "inbound"]


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("must be a name of the tz database, as Europe/Moscow")
    return value


def _address(value: str) -> str:
    name, at, domain = value.rpartition("@")
    if not (at and name and domain) or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("must be an e-mail address")
    return value.lower()


TimeZone = Annotated[ShortText, AfterValidator(_known_zone)]
Email = Annotated[ShortText, AfterValidator(_address)]
Password = Annotated[str, StringConstraints(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
"""At least 8 characters; what they are is the owner's business."""
Ids = Annotated[list[UUID], Field(max_length=1000)]


class AgentOut(BaseModel):
    """Somebody who works here, or a bot."""

    id: UUID
    name: str
    email: str | None
    role: Role
    is_bot: bool
    locale: Locale
    time_zone: str
    active: bool
    team_ids: list[UUID]


class Me(AgentOut):
    """The caller."""

    must_change_password: bool
    session_id: UUID | None


class AgentSecret(AgentOut):
    """An agent; `password` once, when it was generated."""

    password: str | None = Field(None, repr=False)


class Login(BaseModel, extra="forbid"):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "anna@example.com", "password": "kx7d-9mqe-p4ra-wz3c"}]}
    )

    email: ShortText
    password: Annotated[str, StringConstraints(max_length=MAX_LENGTH), Field(repr=False)]


class PasswordChange(BaseModel, extra="forbid"):
    current: Annotated[str, StringConstraints(max_length=MAX_LENGTH), Field(repr=False)]
    new: Password = Field(repr=False)


class MeChange(BaseModel, extra="forbid"):
    """What is left out stays."""

    name: Name | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    password: PasswordChange | None = None


class AgentNew(BaseModel, extra="forbid"):
    """Without `team_ids` the agent joins the only team, when there is but one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Анна Смирнова", "email": "anna@example.com", "role": "agent"}]
        }
    )

    name: Name
    email: Email | None = None
    role: Role = "agent"
    is_bot: bool = False
    team_ids: Ids | None = None
    locale: Locale = "ru"
    time_zone: TimeZone = "Europe/Moscow"
    password: Password | None = Field(None, repr=False)
    """Left out: one is generated, and must be changed at the first login."""


class AgentChange(BaseModel, extra="forbid"):
    """What is left out stays. `active: false` ends the agent's sessions at once."""

    name: Name | None = None
    email: Email | None = None
    role: Role | None = None
    active: bool | None = None
    team_ids: Ids | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    reset_password: bool = False


class TeamOut(BaseModel):
    id: UUID
    name: str
    member_ids: list[UUID]


class TeamNew(BaseModel, extra="forbid"):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Поддержка", "member_ids": []}]})

    name: Name
    member_ids: Ids = []


class TeamChange(BaseModel, extra="forbid"):
    """What is left out stays; `member_ids` replaces all members."""

    name: Name | None = None
    member_ids: Ids | None = None


class TokenNew(BaseModel, extra="forbid"):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Website", "scopes": ["read", "write"]}]}
    )

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)]
    expires_at: AwareDatetime | None = None
    agent_id: UUID | None = None
    """Administrators may make tokens for others, as for a bot."""


class TokenOut(BaseModel):
    id: UUID
    agent_id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None


class TokenSecret(TokenOut):
    """A new token; `token` is shown this once."""

    token: str = Field(repr=False)
