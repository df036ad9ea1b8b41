"""What the API says and takes about channels and raw events."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.core.text import JsonObject, Name
from channels.base import Capabilities

Kind = Literal["telegram", "vk", "email", "webchat", "api"]
State = Literal["active", "paused", "stopped"]
InboundState = Literal["new", "done", "ignored", "quarantined"]
Ids = Annotated[list[UUID], Field(max_length=1000)]


class ChannelOut(BaseModel):
    """A connected account, as every agent may see it."""

    id: UUID
    kind: Kind
    name: str
    title: str
    """Name of the bot, community or mailbox on its platform."""
    state: State
    error: str | None
    error_code: str | None
    error_at: datetime | None
    seen_at: datetime | None
    team_ids: list[UUID]
    capabilities: Capabilities


class ChannelDetails(ChannelOut):
    """With what only administrators see. Secrets are never shown."""

    settings: dict[str, Any] | None = None
    webhook_url: str | None = None
    embed_code: str | None = None
    """Site chat: what to put into a page."""


class ChannelKind(BaseModel):
    """A kind of channel that can be connected; secrets in the schema are `writeOnly`."""

    kind: Kind
    title: str
    settings_schema: dict[str, Any]
    capabilities: Capabilities


class ChannelNew(BaseModel, extra="forbid"):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "webchat", "name": "Сайт", "settings": {"greeting": "Здравствуйте!"}}]
        }
    )

    kind: Kind
    name: Name
    settings: JsonObject = Field(default_factory=dict, repr=False)
    team_ids: Ids | None = None
    """Teams that serve it; left out: the only team, when there is but one."""


class ChannelChange(BaseModel, extra="forbid"):
    """What is left out stays; settings that are left out, and secrets that are empty, stay as well."""

    name: Name | None = None
    settings: JsonObject | None = Field(None, repr=False)
    team_ids: Ids | None = None


class InboundAccepted(BaseModel):
    """The event is stored; `duplicate` when it was stored before."""

    event_id: int
    duplicate: bool


class InboundOut(BaseModel):
    """A raw event; `payload_preview` is the beginning of it as text."""

    id: int
    channel_id: UUID
    key: str
    state: InboundState
    error: str | None
    attempts: int
    received_at: datetime
    payload_preview: str
