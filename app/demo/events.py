"""What customers do, in the words of each platform: the raw forms that the adapters understand."""

import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count
from typing import Any

from app.demo.script import Person
from app.demo.things import Thing, seconds
from channels.api.schema import InboundPayload

MAILBOX = "hello@cricket-house.example"
GROUP = 220_000_071
BOT = 7_000_000_071

# By the clock, so that a later run never gives a number again; in milliseconds, as runs are short.
_numbers: Iterator[int] = count(int(time.time() * 1000))


def number() -> int:
    """A number that was never given before and is greater than all before it."""
    return next(_numbers)


@dataclass(frozen=True)
class Said:
    """A message of a customer."""

    text: str = ""
    thing: Thing | None = None
    poll: str = ""
    subject: str = ""
    quote: str = ""
    """The quoted message's id on the platform."""
    thread: str = ""
    """Message-ID of the first mail of a thread."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: int = field(default_factory=number)

    @property
    def seconds(self) -> int:
        return int(self.at.timestamp())


# --- Telegram -------------------------------------------------------------------------------


def telegram(person: Person, said: Said, *, edit: int = 0) -> dict[str, Any]:
    """An update; with `edit` the message of that id was changed."""
    first, last = person.names
    who = {"id": int(person.external_id("telegram")), "first_name": first, "last_name": last}
    who = {name: value for name, value in who.items() if value}
    if user := person.about.get("user"):
        who["username"] = user
    message: dict[str, Any] = {
        "message_id": edit or said.id,
        "date": said.seconds,
        "chat": {"type": "private", **who},
        "from": {"is_bot": False, "language_code": person.locale, **who},
    }
    message |= _telegram_content(said)
    if said.quote.isdecimal():
        quoted = {"message_id": int(said.quote), "date": said.seconds, "chat": message["chat"], "text": "…"}
        message["reply_to_message"] = quoted
    if edit:
        return {"update_id": said.id, "edited_message": message | {"edit_date": said.seconds}}
    return {"update_id": said.id, "message": message}


def _telegram_content(said: Said) -> dict[str, Any]:
    if said.poll:
        options = [{"text": text, "voter_count": 0, "persistent_id": text} for text in ("1", "2")]
        flags = dict.fromkeys(
            ("is_closed", "allows_multiple_answers", "allows_revoting", "members_only"), False
        )
        poll = {"id": str(said.id), "question": said.poll, "options": options, "total_voter_count": 0}
        return {"poll": poll | flags | {"is_anonymous": True, "type": "regular"}}
    if said.thing is None:
        return {"text": said.text}
    file = {
        "file_id": said.thing.name,
        "file_unique_id": said.thing.name,
        "file_size": len(said.thing.data),
    }
    caption = {"caption": said.text} if said.text else {}
    if said.thing.kind == "voice":
        voice = file | {"duration": seconds(said.thing.data), "mime_type": said.thing.mime}
        return {"voice": voice, **caption}
    if said.thing.kind == "sticker":
        shape = {"width": 256, "height": 256, "is_animated": False, "is_video": False, "type": "regular"}
        return {"sticker": file | shape | {"emoji": "🦗"}}
    if said.thing.kind == "image":
        width, height = _measures(said.thing.data)
        return {"photo": [file | {"width": width, "height": height}], **caption}
    return {"document": file | {"file_name": said.thing.name, "mime_type": said.thing.mime}, **caption}


def _measures(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


# --- VK -------------------------------------------------------------------------------------


def vk(person: Person, said: Said, *, files: str, edit: int = 0) -> dict[str, Any]:
    """An event of the long poll. `files`: the address under which things lie."""
    peer = int(person.external_id("vk"))
    message: dict[str, Any] = {
        "id": said.id,
        "date": said.seconds,
        "peer_id": peer,
        "from_id": peer,
        "conversation_message_id": edit or said.id,
        "out": 0,
        "random_id": 0,
        "text": said.text,
        "fwd_messages": [],
        "attachments": [_vk_attachment(said.thing, files)] if said.thing else [],
    }
    if said.quote.isdecimal():
        message["reply_message"] = {"conversation_message_id": int(said.quote)}
    if edit:
        return _vk_event("message_edit", message | {"update_time": said.seconds})
    return _vk_event("message_new", {"message": message, "client_info": {}})


def vk_read(person: Person, up_to: int) -> dict[str, Any]:
    """He has read our messages up to a number."""
    peer = int(person.external_id("vk"))
    body = {"from_id": peer, "peer_id": peer, "read_message_id": up_to, "conversation_message_id": up_to}
    return _vk_event("message_read", body)


def _vk_event(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "event_id": f"demo{number()}", "v": "5.199", "group_id": GROUP, "object": body}


def _vk_attachment(thing: Thing, files: str) -> dict[str, Any]:
    url = f"{files}/{thing.name}"
    if thing.kind == "image":
        width, height = _measures(thing.data)
        return {"type": "photo", "photo": {"sizes": [{"url": url, "width": width, "height": height}]}}
    doc = {"url": url, "title": thing.name, "ext": thing.name.rpartition(".")[2], "size": len(thing.data)}
    return {"type": "doc", "doc": doc}


# --- mail -----------------------------------------------------------------------------------


def message_id(said: Said) -> str:
    return f"<{said.id}@mail.example>"


def mail(person: Person, said: Said) -> bytes:
    """A mail as it lies in the mailbox."""
    letter = EmailMessage()
    letter["From"] = f"{person.name} <{person.email}>"
    letter["To"] = MAILBOX
    letter["Subject"] = said.subject or ("Вопрос" if person.locale == "ru" else "A question")
    letter["Date"] = format_datetime(said.at)
    letter["Message-ID"] = message_id(said)
    if said.thread:
        letter["In-Reply-To"] = letter["References"] = said.thread
    letter.set_content(said.text)
    if said.thing:
        main, _, sub = said.thing.mime.partition("/")
        letter.add_attachment(said.thing.data, maintype=main, subtype=sub, filename=said.thing.name)
    return letter.as_bytes()


# --- API channel ----------------------------------------------------------------------------


def api(person: Person, said: Said) -> InboundPayload:
    """What the shop's program for ratings posts."""
    given: dict[str, Any] = {
        "event_id": f"rating-{said.id}",
        "sender": {"external_id": person.external_id("api"), "name": person.name},
        "text": said.text,
        "occurred_at": said.at,
    }
    if phone := person.about.get("phone"):
        given["sender"]["phone"] = phone
    if said.thing:
        content = b64encode(said.thing.data).decode()
        given["files"] = [{"name": said.thing.name, "mime": said.thing.mime, "content_base64": content}]
    return InboundPayload.model_validate(given)
