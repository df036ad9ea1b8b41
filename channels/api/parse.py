"""Stored payloads of the API channel understood. Pure."""

from base64 import b64decode
from typing import Any

from pydantic import ValidationError

from channels.api.schema import InboundFile, InboundPayload, InboundSender
from channels.base import BadEvent, Event, File, InboundMessage, Kind, RawEvent, Sender

_KINDS: dict[str, Kind] = {"image": "image", "video": "video", "audio": "audio"}


def to_raw(payload: InboundPayload) -> RawEvent:
    """The raw event to store for a validated payload."""
    stored = payload.model_dump_json(exclude_defaults=True).encode()
    return RawEvent(key=payload.event_id, payload=stored, lane=payload.chat_key)


def read(payload: bytes) -> InboundPayload:
    """A stored payload; raises `BadEvent`."""
    try:
        return InboundPayload.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        raise BadEvent(f"Not a message of the API channel: {where}: {first['msg']}.") from None


def parse(payload: bytes) -> list[Event]:
    """Events of a stored payload; raises `BadEvent`."""
    data = read(payload)
    return [
        InboundMessage(
            chat=data.chat_key,
            external_id=data.message_id or data.event_id,
            sender=_sender(data.sender),
            text=data.text,
            files=[_file(file, index) for index, file in enumerate(data.files)],
            reply_to=data.reply_to,
            occurred_at=data.occurred_at,
            link_token=data.link_token,
        )
    ]


def extract(payload: bytes, ref: dict[str, Any]) -> tuple[bytes, str, str]:
    """Bytes, MIME type and name of a file that came inside of the payload; raises `KeyError`."""
    files = read(payload).files
    index = ref["part"]
    if not isinstance(index, int) or not 0 <= index < len(files) or not files[index].content_base64:
        raise KeyError(index)
    file = files[index]
    return b64decode(file.content_base64), file.mime or "application/octet-stream", file.name


def _sender(sender: InboundSender) -> Sender:
    # Ids are the service's own: they mean nothing outside of this channel.
    return Sender(
        scope="",
        external_id=sender.external_id,
        name=sender.name,
        username=sender.username,
        phone=sender.phone,
        email=sender.email,
        avatar={"url": sender.avatar_url} if sender.avatar_url else None,
    )


def _file(file: InboundFile, index: int) -> File:
    return File(
        kind=file.kind or _kind(file.mime),
        ref={"url": file.url} if file.url else {"part": index},
        name=file.name or f"file-{index + 1}",
        mime=file.mime,
        size=len(b64decode(file.content_base64)) if file.content_base64 else None,
    )


def _kind(mime: str) -> Kind:
    # SVG is a program in disguise.
    return "document" if "svg" in mime.lower() else _KINDS.get(mime.lower().partition("/")[0], "document")
