"""Who stands behind a Telegram update, and in which chat."""

from enum import Enum

from aiogram.types import Chat, Message, User

from channels.base import Sender


def word(value: str | Enum) -> str:
    """The Bot API's word: `str()` of aiogram's enumerations is the name of the Python constant."""
    return str(value.value) if isinstance(value, Enum) else value


def chat_of(message: Message) -> str:
    """The message's chat, as the contract names it."""
    return chat_name(message.chat, message.business_connection_id)


def chat_name(chat: Chat, connection: str | None) -> str:
    """Chat id; for a business account's chat also the connection, without which nobody can answer."""
    return f"{chat.id}:{connection}" if connection else str(chat.id)


def author(message: Message) -> Sender:
    """Who wrote; anonymous admins and channels write under the name of a chat."""
    if message.sender_chat or not message.from_user:
        return somebody(message.sender_chat or message.chat)
    return person(message.from_user, phone=_own_phone(message))


def companion(message: Message) -> Sender:
    """The other side of a private chat."""
    return somebody(message.chat)


def somebody(chat: Chat) -> Sender:
    name = chat.title or chat.full_name or ""
    return Sender(scope="telegram", external_id=str(chat.id), name=name, username=chat.username or "")


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
