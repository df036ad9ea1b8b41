"""What a service posts to us: a customer's message. Also the form in which it is stored."""

import binascii
from base64 import b64decode
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from channels.base import Kind
from channels.text import clean

MAX_TEXT = 100_000
MAX_FILES = 20
MAX_INLINE_FILE = 10_000_000

Clean = Annotated[str, AfterValidator(clean)]
Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(clean)]


def _web_address(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError("must start with https:// or http://")
    return value


WebAddress = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]


class InboundSender(BaseModel):
    """The customer, as the service knows him."""

    model_config = ConfigDict(extra="forbid")

    external_id: Id = Field(description="The customer's id in your system; never changes.")
    name: Clean = Field("", max_length=200)
    username: Clean = Field("", max_length=200)
    email: Clean = Field("", max_length=320)
    phone: Clean = Field("", max_length=40, description="Only when you have verified it.")
    avatar_url: WebAddress = Field("", description="Address of a picture of the customer.")


class InboundFile(BaseModel):
    """A file: by address or, up to 10 MB, as base64."""

    model_config = ConfigDict(extra="forbid")

    name: Clean = Field("", max_length=255)
    mime: Clean = Field("", max_length=100)
    kind: Kind | None = Field(None, description="How to show it; missing: by its MIME type.")
    url: WebAddress = ""
    content_base64: str = Field("", max_length=MAX_INLINE_FILE * 4 // 3 + 4)

    @field_validator("content_base64")
    @classmethod
    def _base64(cls, value: str) -> str:
        try:
            b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not base64") from None
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.url) == bool(self.content_base64):
            raise ValueError("a file needs either url or content_base64")
        return self


class InboundPayload(BaseModel):
    """A customer's message. Posting the same `event_id` again changes nothing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "event_id": "7f9c1e",
                "chat": "order-4711",
                "sender": {"external_id": "42", "name": "Anna Petrova"},
                "text": "Where is my parcel?",
            }
        },
    )

    event_id: Id = Field(description="Your id of this event; repeats are recognised by it.")
    chat: Clean = Field("", max_length=200, description="Your conversation; missing: the sender's id.")
    sender: InboundSender
    message_id: Clean = Field("", max_length=200, description="Your id of the message; missing: event_id.")
    text: Clean = Field("", max_length=MAX_TEXT)
    files: list[InboundFile] = Field(default_factory=list, max_length=MAX_FILES)
    reply_to: Clean = Field("", max_length=200, description="Id of the quoted message of this chat.")
    occurred_at: AwareDatetime | None = Field(None, description="When the customer wrote; with a time zone.")
    link_token: Clean = Field("", max_length=200, description="One-time token that joins known customers.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text.strip() or self.files or self.link_token):
            raise ValueError("a message needs text, a file or link_token")
        return self

    @property
    def chat_key(self) -> str:
        """Conversation of the message: the lane in which events are understood in order."""
        return self.chat or self.sender.external_id
