"""What is done on a platform beside sending: changing a message, taking it back, reacting, marking read."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, Field

ActKind = Literal["edit", "delete", "react", "read", "acknowledge"]


class Button(BaseModel, frozen=True, extra="forbid"):
    """A button below a message: opens `url`, or comes back as `pressed` with `data`."""

    text: str = Field(min_length=1, max_length=64)
    data: str = Field("", max_length=64, description="At most 64 bytes; empty with `url`.")
    url: str = Field("", max_length=2000, pattern=r"^(https?://\S+)?$")


@dataclass(frozen=True, slots=True)
class Edit:
    """Change what a message of ours says."""

    chat: str
    external_ids: list[str]
    """All ids the platform gave, in order."""
    text: str
    files: int = 0
    """How many files the message has: its text may be their caption."""
    buttons: list[list[Button]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delete:
    """Take a message of ours back, all parts of it."""

    chat: str
    external_ids: list[str]


@dataclass(frozen=True, slots=True)
class React:
    """Our reaction to a message; empty: none any more."""

    chat: str
    external_id: str
    emoji: str


@dataclass(frozen=True, slots=True)
class MarkRead:
    """An agent has read the customer's messages up to this one."""

    chat: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A pressed button has reached us: the platform may stop showing that it waits."""

    chat: str
    query: str
    sender: str
    """External id of who pressed."""


Act = Edit | Delete | React | MarkRead | Acknowledge
