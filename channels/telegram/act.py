"""What is done beside sending: changing, taking back, reacting, marking read, answering a pressed button."""

from typing import assert_never

from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteBusinessMessages,
    DeleteMessages,
    EditMessageCaption,
    EditMessageText,
    ReadBusinessMessage,
    SetMessageReaction,
    TelegramMethod,
)
from aiogram.types import ReactionTypeEmoji, ReactionTypeUnion

from channels.acts import Acknowledge, Act, Delete, Edit, MarkRead, React
from channels.base import Rejected, no_act
from channels.telegram.client import Client
from channels.telegram.limits import MAX_CAPTION
from channels.telegram.send import NO_PREVIEW, keyboard, target
from channels.text import clean, units


async def act(client: Client, wanted: Act) -> None:
    """Do it; raises a `DeliveryError`. What is so already is success."""
    call = _call(wanted)
    if call is None:
        return
    try:
        await client.call(call)
    except Rejected as error:
        if error.code not in ("not_modified", "already_gone", "query_expired"):
            raise


def _call(wanted: Act) -> TelegramMethod[bool] | EditMessageText | EditMessageCaption | None:
    match wanted:
        case Edit():
            return _edit(wanted)
        case Delete():
            return _delete(wanted)
        case React():
            return _react(wanted)
        case MarkRead():
            return _read(wanted)
        case Acknowledge():
            return AnswerCallbackQuery(callback_query_id=wanted.query)
    assert_never(wanted)


def _edit(wanted: Edit) -> EditMessageText | EditMessageCaption:
    """The text is a message of its own before the files, or the caption of the first of them."""
    place = target(wanted.chat) | {"message_id": _number(wanted.external_ids[0])}
    text, markup = clean(wanted.text), keyboard(wanted.buttons)
    if len(wanted.external_ids) == wanted.files:
        if units(text) > MAX_CAPTION:
            raise Rejected(f"The text of files may have {MAX_CAPTION} characters at most", code="too_long")
        return EditMessageCaption(caption=text, reply_markup=markup, **place)
    if len(wanted.external_ids) > wanted.files + 1:
        raise Rejected("It went as several messages, which cannot be changed together", code="parts")
    return EditMessageText(text=text, reply_markup=markup, link_preview_options=NO_PREVIEW, **place)


def _delete(wanted: Delete) -> DeleteMessages | DeleteBusinessMessages:
    place, ids = target(wanted.chat), [_number(one) for one in wanted.external_ids]
    if connection := place["business_connection_id"]:
        return DeleteBusinessMessages(business_connection_id=connection, message_ids=ids)
    return DeleteMessages(chat_id=place["chat_id"], message_ids=ids)


def _react(wanted: React) -> SetMessageReaction:
    place = target(wanted.chat)
    if place["business_connection_id"]:
        raise no_act()
    given: list[ReactionTypeUnion] = [ReactionTypeEmoji(emoji=wanted.emoji)] if wanted.emoji else []
    number = _number(wanted.external_id)
    return SetMessageReaction(chat_id=place["chat_id"], message_id=number, reaction=given)


def _read(wanted: MarkRead) -> ReadBusinessMessage | None:
    """Only in the chats of a business account is there anything to mark."""
    place = target(wanted.chat)
    if not place["business_connection_id"]:
        return None
    return ReadBusinessMessage(message_id=_number(wanted.external_id), **place)


def _number(external_id: str) -> int:
    if not external_id.isdecimal():
        raise Rejected("The message's id is not one of Telegram's", code="gone")
    return int(external_id)
