"""Side information of a Telegram message: what an answer needs, and what is worth showing beside its text."""

from datetime import timedelta
from typing import Any

from aiogram.types import Message, MessageEntity, Poll

FOR_EVER = 0x7FFFFFFF
"""The period of a live location that its sender has to end himself."""


def meta_of(message: Message) -> dict[str, Any]:
    """What an answer needs (topic, business connection) and what is worth showing; nothing that is empty."""
    chat = message.chat
    found: dict[str, Any] = {
        "topic": message.message_thread_id if message.is_topic_message else None,
        "business_connection": message.business_connection_id,
        "group": chat.title or "" if chat.type != "private" else None,
        "album": message.media_group_id,
        "animation": True if message.animation else None,
        "round": True if message.video_note else None,
        "emoji": message.sticker.emoji if message.sticker else None,
        "forwarded": _origin(message.forward_origin) if message.forward_origin else None,
        "quote": message.quote.text if message.quote else None,
        "quote_from": _origin(message.external_reply.origin) if message.external_reply else None,
        "via": f"@{message.via_bot.username}" if message.via_bot else None,
    }
    return {name: value for name, value in (found | what_changes(message)).items() if value}


def what_changes(message: Message) -> dict[str, Any]:
    """What an edit may change beside the text; empty where there is none now."""
    found: dict[str, Any] = {"entities": [_entity(one) for one in _entities(message)]}
    if message.location or message.venue:
        found["location"] = _place(message)
    if message.contact:
        found["contact"] = _contact(message)
    if message.poll:
        found["poll"] = _poll(message.poll)
    if message.dice:
        found["dice"] = {"emoji": message.dice.emoji, "value": message.dice.value}
    return found


def _entities(message: Message) -> list[MessageEntity]:
    if message.poll:
        return []  # of the question alone, which is a part of the text
    return message.entities or message.caption_entities or []


def _entity(entity: MessageEntity) -> dict[str, Any]:
    """Offsets and lengths count UTF-16 units of the text."""
    shown = entity.model_dump(exclude_none=True, mode="json", exclude={"user"})
    return shown | ({"user_id": entity.user.id} if entity.user else {})


def _origin(origin: Any) -> str:
    """Name of the person or chat that something comes from."""
    chat = getattr(origin, "sender_chat", None) or getattr(origin, "chat", None)
    if chat is not None:
        return str(chat.title or chat.full_name)
    user = getattr(origin, "sender_user", None)
    return str(user.full_name if user else getattr(origin, "sender_user_name", ""))


def _place(message: Message) -> dict[str, Any]:
    place = message.venue.location if message.venue else message.location
    if place is None:
        return {}
    found: dict[str, Any] = {"latitude": place.latitude, "longitude": place.longitude}
    if message.venue:
        found |= {"title": message.venue.title, "address": message.venue.address}
    if place.live_period:
        found["live"] = True
        if place.live_period < FOR_EVER:
            found["until"] = (message.date + timedelta(seconds=place.live_period)).isoformat()
    elif message.edit_date:
        found["ended"] = True  # only a live place is ever changed
    return found


def _contact(message: Message) -> dict[str, Any]:
    contact, user = message.contact, message.from_user
    if contact is None:
        return {}
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    own = bool(user and contact.user_id == user.id)
    return {"name": name, "phone": contact.phone_number} | ({"own": True} if own else {})


def _poll(poll: Poll) -> dict[str, Any]:
    flags = {"multiple": poll.allows_multiple_answers, "closed": poll.is_closed}
    return {
        "question": poll.question,
        "options": [option.text for option in poll.options],
        "kind": poll.type,
    } | {name: True for name, value in flags.items() if value}
