"""Telegram updates → events of the contract. Pure; knows no network and no account."""

from datetime import UTC, datetime
from enum import Enum

from aiogram.types import ChatMemberUpdated, Message, Update, User
from pydantic import ValidationError

from channels.base import BadEvent, Edited, Event, Ignored, InboundMessage, Reachability, Sender
from channels.telegram.content import SERVICE, UNSUPPORTED, files_of, meta_of, text_of
from channels.text import load_json

_LEFT = frozenset({"left", "kicked"})


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
    if update.my_chat_member:
        return _membership(update.my_chat_member)
    return Ignored(f"update of a kind we do not use: {_kinds(update)}")


def _kinds(update: Update) -> str:
    return ", ".join(sorted(update.model_fields_set | set(update.model_extra or {}) - {"update_id"}))


def _word(value: str | Enum) -> str:
    """The Bot API's word: `str()` of aiogram's enumerations is the name of the Python constant."""
    return str(value.value) if isinstance(value, Enum) else value


def chat_of(message: Message) -> str:
    """Chat id; for a business account's chat also the connection, without which nobody can answer."""
    connection = message.business_connection_id
    return f"{message.chat.id}:{connection}" if connection else str(message.chat.id)


def _message(message: Message) -> Event:
    content = _word(message.content_type)
    if content in SERVICE:
        return Ignored(f"service message: {content}")
    if message.business_connection_id and message.from_user and message.from_user.id != message.chat.id:
        return Ignored("written by the owner of the business account")
    text, token = _start(text_of(message))
    quoted = message.reply_to_message
    return InboundMessage(
        chat=chat_of(message),
        external_id=str(message.message_id),
        sender=_author(message),
        text=text,
        files=files_of(message),
        reply_to=str(quoted.message_id) if quoted and quoted.chat.id == message.chat.id else "",
        occurred_at=message.date,
        link_token=token,
        unsupported=content if content in UNSUPPORTED else "",
        meta=meta_of(message),
    )


def _edited(message: Message) -> Event:
    if _word(message.content_type) in SERVICE:
        return Ignored("service message changed")
    changed = message.edit_date
    return Edited(
        chat=chat_of(message),
        external_id=str(message.message_id),
        text=text_of(message),
        occurred_at=datetime.fromtimestamp(changed, UTC) if changed else message.date,
    )


def _start(text: str) -> tuple[str, str]:
    """`/start TOKEN`, also `/start@bot TOKEN` → no text and the token; other text is left as it is."""
    command, _, token = text.partition(" ")
    if command.partition("@")[0] == "/start" and token.strip():
        return "", token.strip()
    return text, ""


def _author(message: Message) -> Sender:
    """Who wrote; anonymous admins and channels write under the name of a chat."""
    if message.sender_chat or not message.from_user:
        chat = message.sender_chat or message.chat
        name = chat.title or chat.full_name or ""
        return Sender(scope="telegram", external_id=str(chat.id), name=name, username=chat.username or "")
    return person(message.from_user, phone=_own_phone(message))


def person(user: User, *, phone: str = "") -> Sender:
    return Sender(
        scope="telegram",
        external_id=str(user.id),
        name=user.full_name,
        username=user.username or "",
        locale=user.language_code or "",
        phone=phone,
    )


def _own_phone(message: Message) -> str:
    """The phone of a shared contact, only when it is the writer's own: then Telegram vouches for it."""
    contact, user = message.contact, message.from_user
    if not contact or not user or contact.user_id != user.id:
        return ""
    return "+" + contact.phone_number.lstrip("+")


def _membership(change: ChatMemberUpdated) -> Event:
    if change.chat.type != "private":
        return Ignored("the bot's place in a group changed")
    return Reachability(person(change.from_user), reachable=_word(change.new_chat_member.status) not in _LEFT)
