"""Shapes of the site chat's public endpoints, and how they are made from what is stored."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.clock import now
from app.core.errors import Invalid, TooLarge
from app.core.text import ShortText
from app.web.widget_history import PublicFile, PublicMessage, file_url
from app.web.widget_visitors import Visitor
from channels.base import Kind
from channels.webchat.parse import LinkEvent, MessageEvent, Upload
from channels.webchat.settings import MAX_FILES, MAX_TEXT, Ask, WebchatSettings
from dialogs.models import Attachment


class SessionIn(BaseModel):
    """Who comes. Without a token a new visitor begins."""

    token: str | None = None
    name: Annotated[ShortText, Field(max_length=200)] | None = None
    email: Annotated[ShortText, Field(max_length=320, pattern=r"^([^@\s]+@[^@\s]+)?$")] | None = None
    locale: str = Field(default="", max_length=20, pattern=r"^[A-Za-z0-9_-]*$", examples=["ru"])
    link_token: str | None = Field(default=None, max_length=200, pattern=r"^[A-Za-z0-9_-]*$")
    """One-time token of a personal link."""


class Look(BaseModel):
    """How the chat looks and what it asks."""

    greeting: str
    accent: str
    position: str
    theme: str
    ask_name: Ask
    ask_email: Ask
    max_file_bytes: int
    max_files: int = MAX_FILES
    max_text: int = MAX_TEXT


class SessionOut(BaseModel):
    """The visitor's token (keep it: it is all that names him), the look, the newest messages."""

    token: str
    visitor_id: str
    name: str
    email: str
    title: str
    settings: Look
    messages: list[PublicMessage]
    has_more: bool
    cursor: int


class MessageIn(BaseModel):
    """A message. The same `client_key` again is the same message."""

    client_key: UUID
    text: str = ""
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=MAX_FILES)
    page: str = Field(default="", max_length=2000)
    """Address of the page the visitor is on."""


class MessagesOut(BaseModel):
    """A page of the thread, oldest first."""

    messages: list[PublicMessage]
    has_more: bool


def introduced(visitor: Visitor, body: SessionIn) -> Visitor:
    """The visitor with what he now says about himself."""
    return Visitor(
        visitor.id,
        name=visitor.name if body.name is None else body.name,
        email=visitor.email if body.email is None else body.email,
        locale=body.locale or visitor.locale,
    )


def look(settings: WebchatSettings, *, max_file_bytes: int) -> Look:
    return Look(
        greeting=settings.greeting,
        accent=settings.accent,
        position=settings.position,
        theme=settings.theme,
        ask_name=settings.ask_name,
        ask_email=settings.ask_email,
        max_file_bytes=max_file_bytes,
    )


def text(body: MessageIn) -> str:
    """The text to store; raises `TooLarge`, `Invalid`."""
    if len(body.text) > MAX_TEXT:
        raise TooLarge(f"A message may have at most {MAX_TEXT} characters.", limit=MAX_TEXT)
    if "\x00" in body.text or "\x00" in body.page:
        raise Invalid("Text must not contain NUL characters.", field="text")
    stripped = _storable(body.text).strip()
    if not stripped and not body.attachment_ids:
        raise Invalid("A message needs a text or a file.", field="text")
    return stripped


def _storable(value: str) -> str:
    """Half of a surrogate pair (an emoji cut in two) is no character."""
    return value.encode("utf-8", "replace").decode()


def message_event(visitor: Visitor, body: MessageIn, uploads: Sequence[Attachment]) -> MessageEvent:
    return MessageEvent(
        visitor=visitor.id,
        name=visitor.name,
        email=visitor.email,
        locale=visitor.locale,
        client_key=str(body.client_key),
        text=text(body),
        files=[_upload(row) for row in uploads],
        at=now(),
        page=_storable(body.page),
    )


def _upload(row: Attachment) -> Upload:
    return Upload(upload=row.id, kind=cast(Kind, row.kind), name=row.name, mime=row.mime, size=row.size)


def link_event(visitor: Visitor, token: str) -> LinkEvent:
    return LinkEvent(
        visitor=visitor.id, name=visitor.name, email=visitor.email, locale=visitor.locale, token=token
    )


def echo(event: MessageEvent, channel_id: UUID) -> PublicMessage:
    """The message as it was taken; id and number are given when it is understood."""
    return PublicMessage(
        id=UUID(event.client_key),
        seq=0,
        sender="visitor",
        text=event.text,
        attachments=[_echo_file(upload, channel_id) for upload in event.files],
        created_at=event.at or now(),
        client_key=event.client_key,
    )


def _echo_file(upload: Upload, channel_id: UUID) -> PublicFile:
    return PublicFile(
        id=upload.upload,
        kind=upload.kind,
        name=upload.name,
        mime=upload.mime,
        size=upload.size,
        url=file_url(channel_id, upload.upload),
        state="stored",
    )
