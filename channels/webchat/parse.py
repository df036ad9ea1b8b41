"""Understanding the events that our own public endpoints stored, and writing them. Pure.

One event is one JSON object `{"type": "message" | "receipt" | "typing" | "link", "visitor": …}`.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from channels.base import BadEvent, Event, File, InboundMessage, Kind, Linked, Receipt, Sender, Typing
from channels.webchat.settings import MAX_FILES, MAX_TEXT

# PostgreSQL cannot store NUL.
Text = Annotated[str, AfterValidator(lambda value: value.replace("\x00", ""))]
Whole = Annotated[int, Field(ge=0, lt=2**53)]


class Upload(BaseModel):
    """A file the visitor uploaded before he sent the message."""

    upload: UUID
    """Id of the stored attachment."""
    kind: Kind = "document"
    name: Text = ""
    mime: Text = "application/octet-stream"
    size: Whole | None = None
    width: Whole | None = None
    height: Whole | None = None


class _FromVisitor(BaseModel):
    visitor: Text = Field(min_length=1, max_length=64)
    name: Text = Field(default="", max_length=200)
    """As the visitor says: proves nothing."""
    email: Text = Field(default="", max_length=320)
    locale: Text = Field(default="", max_length=20)

    def sender(self) -> Sender:
        return Sender("", self.visitor, name=self.name, email=self.email, locale=self.locale)


class MessageEvent(_FromVisitor):
    """The visitor wrote."""

    type: Literal["message"] = "message"
    client_key: Text = Field(min_length=1, max_length=64)
    text: Text = Field(default="", max_length=MAX_TEXT)
    files: list[Upload] = Field(default_factory=list, max_length=MAX_FILES)
    at: AwareDatetime | None = None
    page: Text = Field(default="", max_length=2000)
    """Address of the page he wrote from."""

    def events(self) -> list[Event]:
        return [
            InboundMessage(
                chat=self.visitor,
                external_id=self.client_key,
                sender=self.sender(),
                text=self.text,
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
    token: Text = Field(min_length=1, max_length=200)

    def events(self) -> list[Event]:
        return [Linked(sender=self.sender(), chat=self.visitor, token=self.token)]


WebchatEvent = MessageEvent | ReceiptEvent | TypingEvent | LinkEvent
_events: TypeAdapter[WebchatEvent] = TypeAdapter(
    Annotated[WebchatEvent, Field(discriminator="type")], config=ConfigDict(defer_build=True)
)


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


def _file(upload: Upload) -> File:
    return File(
        kind=upload.kind,
        ref={"upload": str(upload.upload)},
        name=upload.name,
        mime=upload.mime,
        size=upload.size,
        width=upload.width,
        height=upload.height,
    )
