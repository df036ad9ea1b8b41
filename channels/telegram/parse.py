"""A stored update → events of the contract. Pure; knows no network and no account."""

from datetime import UTC, datetime
from typing import Any

from aiogram.types import Message, Update
from pydantic import ValidationError

from channels.base import BadEvent, Echo, Edited, Event, Ignored, InboundMessage
from channels.telegram import updates
from channels.telegram.content import SERVICE, UNSUPPORTED, files_of, text_of
from channels.telegram.meta import meta_of, what_changes
from channels.telegram.people import author, chat_of, companion, word
from channels.text import load_json


def parse(payload: bytes) -> list[Event]:
    """Events of one update; raises `BadEvent` when it is no update of a known form."""
    try:
        update = Update.model_validate(load_json(payload))
    except ValidationError as error:
        raise BadEvent(_where(error)) from None
    except ValueError:
        raise BadEvent("not JSON") from None
    try:
        return [_event(update)]
    except Exception as error:  # whatever it is, the event must be quarantined and the next one understood
        raise BadEvent(f"cannot be understood ({type(error).__name__})") from error


def _where(error: ValidationError) -> str:
    """The fields at fault, without their values."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"[:300]


def _event(update: Update) -> Event:
    if message := update.message or update.business_message:
        return _message(message)
    if message := update.edited_message or update.edited_business_message:
        return _edited(message)
    return updates.event(update) or Ignored(f"update of a kind we do not use: {_kinds(update)}")


def _kinds(update: Update) -> str:
    return ", ".join(sorted(update.model_fields_set | set(update.model_extra or {}) - {"update_id"}))


def _message(message: Message) -> Event:
    content = word(message.content_type)
    if content in SERVICE:
        return Ignored(f"service message: {content}")
    if message.business_connection_id and message.from_user and message.from_user.id != message.chat.id:
        return _from_owner(message)
    text, token = _start(text_of(message))
    quoted = message.reply_to_message
    return InboundMessage(
        chat=chat_of(message),
        external_id=str(message.message_id),
        sender=author(message),
        text=text,
        files=files_of(message),
        reply_to=str(quoted.message_id) if quoted and quoted.chat.id == message.chat.id else "",
        occurred_at=message.date,
        link_token=token,
        unsupported=content if content in UNSUPPORTED else "",
        meta=_without_command(meta_of(message)) if token else meta_of(message),
    )


def _from_owner(message: Message) -> Event:
    """The owner of a business account answered by himself."""
    return Echo(
        chat=chat_of(message),
        external_id=str(message.message_id),
        text=text_of(message),
        files=files_of(message),
        recipient=companion(message),
        author=author(message).name,
        occurred_at=message.date,
    )


def _without_command(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name != "entities"}


def _edited(message: Message) -> Event:
    if word(message.content_type) in SERVICE:
        return Ignored("service message changed")
    changed = message.edit_date
    return Edited(
        chat=chat_of(message),
        external_id=str(message.message_id),
        text=text_of(message),
        occurred_at=datetime.fromtimestamp(changed, UTC) if changed else message.date,
        meta=what_changes(message),
    )


def _start(text: str) -> tuple[str, str]:
    """`/start TOKEN`, also `/start@bot TOKEN` → no text and the token; other text is left as it is."""
    command, _, token = text.partition(" ")
    if command.partition("@")[0] == "/start" and token.strip():
        return "", token.strip()
    return text, ""
