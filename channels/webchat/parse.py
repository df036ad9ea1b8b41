"""Understanding the events that our own public endpoints stored, and writing them. Pure.

One event is one JSON object `{"type": "message" | "receipt" | "typing" | "link", "visitor": …}`.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from channels.base import BadEvent, Event, File, InboundMessage, Kind, Linked, Receipt, Sender, Typing
from channels.webchat.settings import MAX_FILES, MAX_TEXT


class Upload(BaseModel):
    """A file the visitor uploaded before he sent the message."""

    upload: str
    """Id of the stored attachment."""
    kind: Kind = "document"
    name: str = ""
    mime: str = "application/octet-stream"
    size: int | None = None
    width: int | None = None
    height: int | None = None


class _FromVisitor(BaseModel):
    visitor: str = Field(min_length=1, max_length=64)
    name: str = Field(default="", max_length=200)
    """As the visitor says: proves nothing."""
    email: str = Field(default="", max_length=320)
    locale: str = Field(default="", max_length=20)

    def sender(self) -> Sender:
        return Sender("", self.visitor, name=self.name, email=self.email, locale=self.locale)


class MessageEvent(_FromVisitor):
    """The visitor wrote."""

    type: Literal["message"] = "message"
    client_key: str = Field(min_length=1, max_length=64)
    text: str = Field(default="", max_length=MAX_TEXT)
    files: list[Upload] = Field(default_factory=list, max_length=MAX_FILES)
    at: datetime | None = None
    page: str = Field(default="", max_length=2000)
    """Address of the page he wrote from."""

    def events(self) -> list[Event]:
        return [
            InboundMessage(
                chat=self.visitor,
                external_id=self.client_key,
                sender=self.sender(),
                text=_clean(self.text),
                files=[_file(upload) for upload in self.files],
                occurred_at=self.at,
                meta={"page": self.page} if self.page else {},
            )
        ]


class ReceiptEvent(_FromVisitor):
    """The visitor's page received or showed messages of ours, up to an external id."""

    type: Literal["receipt"] = "receipt"
    status: Literal["delivered", "read"]
    up_to: str = Field(pattern=r"^[0-9]{1,19}$")

    def events(self) -> list[Event]:
        return [Receipt(chat=self.visitor, status=self.status, up_to=self.up_to)]


class TypingEvent(_FromVisitor):
    """The visitor is typing."""

    type: Literal["typing"] = "typing"

    def events(self) -> list[Event]:
        return [Typing(chat=self.visitor, sender=self.sender())]


class LinkEvent(_FromVisitor):
    """The visitor opened a personal link."""

    type: Literal["link"] = "link"
    token: str = Field(min_length=1, max_length=200)

    def events(self) -> list[Event]:
        return [Linked(sender=self.sender(), chat=self.visitor, token=self.token)]


WebchatEvent = MessageEvent | ReceiptEvent | TypingEvent | LinkEvent
_events: TypeAdapter[WebchatEvent] = TypeAdapter(Annotated[WebchatEvent, Field(discriminator="type")])


def dump(event: WebchatEvent) -> bytes:
    """The payload to store for `event`."""
    return event.model_dump_json(exclude_defaults=False).encode()


def parse(payload: bytes) -> list[Event]:
    """Understand a stored event; raises `BadEvent`."""
    try:
        return _events.validate_json(payload).events()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        raise BadEvent(f"Not an event of the site chat: {where}: {first['msg']}.") from None


def _clean(text: str) -> str:
    # PostgreSQL cannot store NUL.
    return text.replace("\x00", "")


def _file(upload: Upload) -> File:
    return File(
        kind=upload.kind,
        ref={"upload": upload.upload},
        name=_clean(upload.name),
        mime=upload.mime,
        size=upload.size,
        width=upload.width,
        height=upload.height,
    )
