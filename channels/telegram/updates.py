"""Updates that are no messages: pressed buttons, reactions, deletions, who blocked us."""

from typing import Any

from aiogram.types import (
    BusinessConnection,
    BusinessMessagesDeleted,
    CallbackQuery,
    ChatMemberUpdated,
    InaccessibleMessage,
    InlineKeyboardButton,
    Message,
    MessageReactionUpdated,
    ReactionTypeCustomEmoji,
    ReactionTypeEmoji,
    Update,
)

from channels.base import Deleted, Event, Ignored, InboundMessage, Reachability, Reaction
from channels.telegram.meta import meta_of
from channels.telegram.people import chat_name, chat_of, person, somebody, word

_LEFT = frozenset({"left", "kicked"})
_OF_THE_CHAT = ("topic", "business_connection", "group")


def event(update: Update) -> Event | None:
    """What the update means; None for what we do not know."""
    if update.callback_query:
        return _pressed(update.callback_query)
    if update.message_reaction:
        return _reaction(update.message_reaction)
    if update.deleted_business_messages:
        return _deleted(update.deleted_business_messages)
    if update.my_chat_member:
        return _membership(update.my_chat_member)
    if update.business_connection:
        return _connection(update.business_connection)
    return None


def _pressed(query: CallbackQuery) -> Event:
    """A pressed button says what stands on it; Telegram waits to hear that it has reached us."""
    message = query.message
    if message is None or not query.data:
        return Ignored("a button of an inline message or a game")
    chat, meta = str(message.chat.id), dict[str, Any]()
    if isinstance(message, Message):
        chat = chat_of(message)
        meta = {name: value for name, value in meta_of(message).items() if name in _OF_THE_CHAT}
    label = _label(message, query.data)
    return InboundMessage(
        chat=chat,
        external_id=f"press:{query.id}",
        sender=person(query.from_user),
        text=label,
        reply_to=str(message.message_id),
        acknowledge=query.id,
        meta=meta | {"pressed": label, "data": query.data},
    )


def _label(message: Message | InaccessibleMessage, data: str) -> str:
    """What stands on the button with this data; a message too old to be shown leaves only the data."""
    markup = message.reply_markup if isinstance(message, Message) else None
    rows: list[list[InlineKeyboardButton]] = markup.inline_keyboard if markup else []
    return next((one.text for row in rows for one in row if one.callback_data == data), data)


def _reaction(change: MessageReactionUpdated) -> Event:
    if change.user is None and change.actor_chat is None:
        return Ignored("a reaction of nobody")
    sender = person(change.user) if change.user else somebody(change.actor_chat or change.chat)
    emojis = [_emoji(one) for one in change.new_reaction]
    return Reaction(str(change.chat.id), str(change.message_id), sender, emojis)


def _emoji(reaction: object) -> str:
    if isinstance(reaction, ReactionTypeEmoji):
        return reaction.emoji
    return ":custom:" if isinstance(reaction, ReactionTypeCustomEmoji) else "⭐"


def _deleted(change: BusinessMessagesDeleted) -> Event:
    chat = chat_name(change.chat, change.business_connection_id)
    return Deleted(chat, [str(number) for number in change.message_ids])


def _membership(change: ChatMemberUpdated) -> Event:
    if change.chat.type != "private":
        return Ignored("the bot's place in a group changed")
    return Reachability(person(change.from_user), reachable=word(change.new_chat_member.status) not in _LEFT)


def _connection(connection: BusinessConnection) -> Event:
    state = "connected" if connection.is_enabled else "disconnected"
    return Ignored(f"business account {state}: {connection.user.full_name}")
