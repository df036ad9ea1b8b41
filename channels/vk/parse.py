"""VK events → events of the contract. Pure; knows no network and no account."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from channels.base import (
    BadEvent,
    Echo,
    Edited,
    Event,
    Ignored,
    InboundMessage,
    Linked,
    Reachability,
    Reaction,
    Receipt,
    Sender,
    Typing,
)
from channels.text import load_json
from channels.vk.cards import page_of
from channels.vk.content import Message, content_of, when
from channels.vk.keyboard import pressed
from channels.vk.reactions import emoji_of

Names = Mapping[str, str]


class _Envelope(BaseModel):
    """What every event comes in; `names` are put in by `people`."""

    type: str
    object: dict[str, Any]
    names: dict[str, str] = {}


class _NewMessage(BaseModel):
    message: Message


class _Subscription(BaseModel):
    user_id: int
    key: str = ""


class _Read(BaseModel):
    from_id: int
    peer_id: int
    conversation_message_id: int | None = None


class _TypingState(BaseModel):
    from_id: int
    state: str = ""


class _Pressed(BaseModel):
    user_id: int
    peer_id: int
    event_id: str
    payload: Any = None
    conversation_message_id: int | None = None


class _Reaction(BaseModel):
    reacted_id: int
    peer_id: int
    cmid: int
    reaction_id: int | None = None


def parse(payload: bytes) -> list[Event]:
    """Events of one update; raises `BadEvent` when it is no event of a known form."""
    try:
        event = _Envelope.model_validate(load_json(payload))
        if event.type in _TALKING:
            return _TALKING[event.type](event.object, event.names)
        handler = _HANDLERS.get(event.type)
        return handler(event.object) if handler else [Ignored(f"event of a kind we do not use: {event.type}")]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadEvent(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"[:300]) from None
    except ValueError:
        raise BadEvent("not JSON") from None
    except BadEvent:
        raise
    except Exception as error:  # whatever it is, the event must be quarantined and the next one understood
        raise BadEvent(f"cannot be understood ({type(error).__name__})") from error


def person(user_id: int) -> Sender:
    """VK's events bring no names: `profile` asks for them."""
    return Sender(scope="vk", external_id=str(user_id))


def _new(body: dict[str, Any], names: Names) -> list[Event]:
    if "message" not in body:
        # API versions before 5.103 put the message itself here; the versions are set by `start`.
        raise BadEvent("message_new without a message: the community uses an API version before 5.103")
    message = _NewMessage.model_validate(body).message
    if message.out:
        return [_echo(message, names)]
    if message.action or message.from_id <= 0:
        return [Ignored("service message" if message.action else "written by a community")]
    content = content_of(message, names)
    quoted = message.reply_message
    return [
        InboundMessage(
            chat=str(message.peer_id),
            external_id=str(message.conversation_message_id),
            sender=person(message.from_id),
            text=content.text,
            files=content.files,
            reply_to=str(quoted.conversation_message_id or "") if quoted else "",
            occurred_at=when(message.date),
            link_token=message.ref,
            unsupported=content.unsupported,
            meta=content.meta,
        )
    ]


def _reply(body: dict[str, Any], names: Names) -> list[Event]:
    return [_echo(Message.model_validate(body), names)]


def _echo(message: Message, names: Names) -> Event:
    content, admin = content_of(message, names), message.admin_author_id or 0
    return Echo(
        chat=str(message.peer_id),
        external_id=str(message.conversation_message_id),
        text=content.text,
        files=content.files,
        recipient=person(message.peer_id) if 0 < message.peer_id < 2_000_000_000 else None,
        key=str(_sent_along(message).get("otklik") or "") or _random_key(message),
        author=(names.get(str(admin)) or page_of(admin)) if admin > 0 else "",
        occurred_at=when(message.date),
    )


def _random_key(message: Message) -> str:
    """As far as `random_id` still is the key. Other programs of the community have their own."""
    return str(message.random_id) if message.random_id > 0 and not message.admin_author_id else ""


def _sent_along(message: Message) -> dict[str, Any]:
    """What `send.payload` gave a message of ours."""
    try:
        found = json.loads(message.payload or "null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _edited(body: dict[str, Any], names: Names) -> list[Event]:
    message = Message.model_validate(body)
    if _sent_along(message).get("part"):
        return [Ignored("a later part of a message of ours was changed")]
    changed = message.update_time or message.date
    content = content_of(message, names)
    chat, number = str(message.peer_id), str(message.conversation_message_id)
    return [Edited(chat, number, content.text, occurred_at=when(changed), meta=content.meta or None)]


def _allowed(body: dict[str, Any]) -> list[Event]:
    given = _Subscription.model_validate(body)
    sender = person(given.user_id)
    events: list[Event] = [Reachability(sender, reachable=True)]
    if given.key:
        events.append(Linked(sender, chat=str(given.user_id), token=given.key))
    return events


def _denied(body: dict[str, Any]) -> list[Event]:
    return [Reachability(person(_Subscription.model_validate(body).user_id), reachable=False)]


def _read(body: dict[str, Any]) -> list[Event]:
    given = _Read.model_validate(body)
    if given.from_id <= 0:
        return [Ignored("read by us")]
    if given.conversation_message_id is None:
        # `read_message_id` alone counts all of the community's messages and says nothing within a chat.
        return [Ignored("read up to a message without an id within its chat")]
    return [Receipt(chat=str(given.peer_id), status="read", up_to=str(given.conversation_message_id))]


def _typing(body: dict[str, Any]) -> list[Event]:
    given = _TypingState.model_validate(body)
    if given.from_id <= 0:
        return [Ignored("we are typing")]
    return [Typing(chat=str(given.from_id), sender=person(given.from_id))]


def _pressed(body: dict[str, Any]) -> list[Event]:
    """A callback button: shown as what the customer said by it."""
    given = _Pressed.model_validate(body)
    meta = pressed(given.payload)
    return [
        InboundMessage(
            chat=str(given.peer_id),
            external_id=f"press:{given.event_id}",
            sender=person(given.user_id),
            text=meta.get("pressed", ""),
            reply_to=str(given.conversation_message_id or ""),
            unsupported="" if meta else "button",
            acknowledge=given.event_id,
            meta=dict(meta),
        )
    ]


def _reaction(body: dict[str, Any]) -> list[Event]:
    given = _Reaction.model_validate(body)
    if given.reacted_id <= 0:
        return [Ignored("a reaction of ours")]
    emojis = [emoji_of(given.reaction_id)] if given.reaction_id else []
    return [Reaction(str(given.peer_id), str(given.cmid), person(given.reacted_id), emojis)]


_TALKING: dict[str, Callable[[dict[str, Any], Names], list[Event]]] = {
    "message_new": _new,
    "message_reply": _reply,
    "message_edit": _edited,
}
_HANDLERS: dict[str, Callable[[dict[str, Any]], list[Event]]] = {
    "message_allow": _allowed,
    "message_deny": _denied,
    "message_read": _read,
    "message_typing_state": _typing,
    "message_event": _pressed,
    "message_reaction_event": _reaction,
}
