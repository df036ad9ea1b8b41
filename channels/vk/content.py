"""What is inside a VK message: its text, attachments, quotes and forwarded messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import BaseModel

from channels.base import File, Kind
from channels.vk.cards import card, forwarded, line_of


class Message(BaseModel):
    """The fields of a message that we use; VK adds others at will."""

    peer_id: int
    from_id: int
    conversation_message_id: int
    date: int
    text: str = ""
    out: int = 0
    random_id: int = 0
    ref: str = ""
    payload: str | None = None
    update_time: int = 0
    admin_author_id: int | None = None
    action: dict[str, Any] | None = None
    attachments: list[dict[str, Any]] = []
    fwd_messages: list[dict[str, Any]] = []
    reply_message: "_Quoted | None" = None
    geo: dict[str, Any] | None = None


class _Quoted(BaseModel):
    conversation_message_id: int | None = None


@dataclass
class Content:
    """What a message holds, put into the contract's words."""

    text: str = ""
    files: list[File] = field(default_factory=list)
    unsupported: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


def when(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def content_of(message: Message, names: Mapping[str, str] | None = None) -> Content:
    """`names`: of people whom the message mentions, by their ids."""
    content = Content()
    lines = [message.text]
    for attachment in message.attachments:
        lines.append(_add(content, attachment))
    add = partial(_add, content)
    lines += forwarded(message.fwd_messages, names=names or {}, attached=add)
    if place := _place(message.geo):
        content.meta["location"] = place
        title = _place_title(message.geo)
        lines.append(f"{title}{place['latitude']}, {place['longitude']}")
    content.text = "\n".join(line for line in lines if line)
    return content


def _add(content: Content, attachment: dict[str, Any]) -> str:
    """Put one attachment into `content`; returns a line of text for what is no file."""
    kind = str(attachment.get("type", "unknown"))
    body = attachment.get(kind)
    body = body if isinstance(body, dict) else {}
    if file := _file(kind, body):
        content.files.append(file)
        return ""
    if found := card(kind, body):
        content.meta.setdefault("cards", []).append(found)
        return line_of(found)
    content.unsupported = content.unsupported or kind
    return ""


def _file(kind: str, body: dict[str, Any]) -> File | None:
    if kind == "photo":
        return _picture("image", [*_sizes(body, "sizes"), *_sizes(body, "orig_photo")])
    if kind in ("sticker", "graffiti"):
        found: Kind = "sticker" if kind == "sticker" else "image"
        return _picture(found, [*_sizes(body, "images"), body], mime="image/png")
    if kind == "doc":
        return _remote("document", body.get("url"), name=_document_name(body), size=body.get("size"))
    if kind == "audio_message":
        length = body.get("duration")
        duration = float(length) if isinstance(length, int | float) else None
        url = body.get("link_ogg") or body.get("link_mp3")
        mime = "audio/ogg" if body.get("link_ogg") else "audio/mpeg"
        return _remote("voice", url, mime=mime, duration=duration)
    return None


def _sizes(body: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    value = body.get(name)
    for size in value if isinstance(value, list) else [value]:
        if isinstance(size, dict):
            yield size


def _picture(kind: Kind, sizes: list[dict[str, Any]], *, mime: str = "image/jpeg") -> File | None:
    """The largest of the sizes; old pictures have no measures."""
    known = [size for size in sizes if isinstance(size.get("url"), str) and size["url"]]
    if not known:
        return None
    best = max(known, key=lambda size: (_number(size.get("width")) or 0) * (_number(size.get("height")) or 0))
    width, height = _number(best.get("width")), _number(best.get("height"))
    return File(kind=kind, ref={"url": best["url"]}, mime=mime, width=width or None, height=height or None)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _remote(
    kind: Kind, url: Any, *, name: str = "", mime: str = "", size: Any = None, duration: float | None = None
) -> File | None:
    if not isinstance(url, str) or not url:
        return None
    return File(kind, {"url": url}, name=name, mime=mime, size=_number(size), duration=duration)


def _document_name(body: dict[str, Any]) -> str:
    title, extension = str(body.get("title") or "file"), str(body.get("ext") or "")
    has_it = not extension or title.lower().endswith("." + extension.lower())
    return title if has_it else f"{title}.{extension}"


def _place(geo: dict[str, Any] | None) -> dict[str, float] | None:
    place = geo.get("coordinates") if geo else None
    if not isinstance(place, dict):
        return None
    latitude, longitude = place.get("latitude"), place.get("longitude")
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        return {"latitude": latitude, "longitude": longitude}
    return None


def _place_title(geo: dict[str, Any] | None) -> str:
    place = geo.get("place") if geo else None
    title = place.get("title") if isinstance(place, dict) else None
    return f"{title}\n" if isinstance(title, str) and title else ""
