"""Outgoing messages → calls to the Bot API: long texts, captions, albums, what becomes of a half-sent one."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from aiogram.methods import (
    SendAudio,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendVideo,
    SendVoice,
    TelegramMethod,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    InputMediaVideo,
    LinkPreviewOptions,
    ReplyParameters,
)

from channels.acts import Button
from channels.base import DeliveryError, OutcomeUnknown, OutgoingFile, OutgoingMessage, Rejected, Sent
from channels.telegram.client import Client
from channels.telegram.errors import Migrated
from channels.telegram.limits import (
    MAX_ALBUM,
    MAX_BUTTON_DATA,
    MAX_CAPTION,
    MAX_FILE,
    MAX_PHOTO,
    MAX_TEXT,
)
from channels.text import clean, split, units

_PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
_VOICES = frozenset({"audio/ogg", "audio/opus", "audio/mpeg", "audio/mp4", "audio/x-m4a"})
_AUDIOS = frozenset({"audio/mpeg", "audio/mp4", "audio/x-m4a"})

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
"""What an address leads to is the customer's to see when he opens it; agents did not choose a picture."""

Part = TelegramMethod[Any]
Loaded = tuple[OutgoingFile, bytes]


def target(chat: str) -> dict[str, Any]:
    """Chat id and, for chats of a business account, its connection; the opposite of `parse.chat_of`."""
    number, _, connection = chat.partition(":")
    if not number.lstrip("-").isdecimal():
        raise Rejected("The chat's id is not one of Telegram's", code="chat_not_found")
    return {"chat_id": int(number), "business_connection_id": connection or None}


async def send(client: Client, message: OutgoingMessage) -> Sent:
    """Send all parts of a message; raises a `DeliveryError`."""
    too_large = next((file for file in message.files if file.size > MAX_FILE), None)
    if too_large:
        raise Rejected("Telegram takes files up to 50 MB", code="too_large")
    loaded = [(file, await file.content.read()) for file in message.files]
    parts = list(_parts(message, loaded))
    if not parts:
        raise Rejected("The message is empty", code="empty")
    return await _send_parts(client, parts, chat="")


async def _send_parts(client: Client, parts: Sequence[Part], *, chat: str) -> Sent:
    ids: list[str] = []
    for number, part in enumerate(parts):
        try:
            ids += _ids(await _call(client, part))
        except Migrated as moved:
            if chat or ids:
                raise _half_sent(number, len(parts), moved) from None
            return await _send_parts(client, _moved(parts, moved.chat), chat=str(moved.chat))
        except DeliveryError as error:
            raise (_half_sent(number, len(parts), error) if ids else error) from None
    return Sent(external_ids=ids, chat=chat)


async def _call(client: Client, part: Part) -> Any:
    try:
        return await client.call(part)
    except Rejected as error:
        # Refused as a picture (too long, broken): nothing was sent, and as a file it will do.
        if error.code != "bad_image" or not isinstance(part, SendPhoto):
            raise
        given = part.model_dump(exclude={"photo"}, exclude_unset=True)
        return await client.call(SendDocument(document=part.photo, **given))


def _half_sent(done: int, total: int, error: DeliveryError) -> OutcomeUnknown:
    return OutcomeUnknown(f"{done} of {total} parts were sent, then: {error.reason}", code="partial")


def _moved(parts: Sequence[Part], chat: int) -> list[Part]:
    return [part.model_copy(update={"chat_id": chat}) for part in parts]


def _ids(result: Any) -> list[str]:
    """Message ids of an answer; the message was taken even when the answer has none."""
    found = result if isinstance(result, list) else [result]
    return [str(item["message_id"]) for item in found if isinstance(item, dict) and "message_id" in item]


def _parts(message: OutgoingMessage, loaded: Sequence[Loaded]) -> Iterator[Part]:
    """Calls in order: text that is no caption, then files. Only the first call quotes.

    Buttons stand below the text, or below a single file; an album cannot have them.
    """
    common = target(message.chat or message.recipient) | _thread(message)
    reply, markup = _reply(message), keyboard(message.buttons)
    text = clean(message.text)
    fits = units(text) <= MAX_CAPTION and not (markup and len(loaded) > 1)
    caption = text if loaded and text.strip() and fits else None
    texts = [] if caption else split(text, MAX_TEXT)
    for number, part in enumerate(texts, 1):
        last = markup if number == len(texts) else None
        yield SendMessage(
            text=part, reply_parameters=reply, reply_markup=last, link_preview_options=NO_PREVIEW, **common
        )
        reply = None
    if texts:
        markup = None
    if markup and len(loaded) > 1:
        raise Rejected("Buttons need a text: several files cannot have them", code="buttons_need_text")
    for album, group in groupby(loaded, key=lambda item: _album(item[0])):
        for chunk in _chunks(list(group), MAX_ALBUM if album else 1):
            first = {"reply_parameters": reply} | ({"reply_markup": markup} if markup else {})
            yield _files(chunk, {"caption": caption}, common | first)
            caption = reply = None


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    """Buttons as Telegram takes them; one without data or address comes back with its label."""
    shown = [[_button(one) for one in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=shown) if shown else None


def _button(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(text=button.text, url=button.url)
    if len(button.data.encode()) > MAX_BUTTON_DATA:
        raise Rejected(f"A button carries {MAX_BUTTON_DATA} bytes of data at most", code="bad_button")
    data = button.data or button.text.encode()[:MAX_BUTTON_DATA].decode(errors="ignore")
    return InlineKeyboardButton(text=button.text, callback_data=data)


def _thread(message: OutgoingMessage) -> dict[str, Any]:
    topic = message.meta.get("topic")
    return {"message_thread_id": topic} if isinstance(topic, int) else {}


def _reply(message: OutgoingMessage) -> ReplyParameters | None:
    if not message.reply_to.isdecimal():
        return None
    # The customer may have deleted the quoted message; the answer is worth more than the quote.
    return ReplyParameters(message_id=int(message.reply_to), allow_sending_without_reply=True)


def _chunks(items: list[Loaded], size: int) -> Iterator[list[Loaded]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _album(file: OutgoingFile) -> bool:
    return _is_photo(file) or file.kind == "video"


def _is_photo(file: OutgoingFile) -> bool:
    return file.kind == "image" and file.mime in _PHOTOS and file.size <= MAX_PHOTO


def _files(files: Sequence[Loaded], caption: dict[str, Any], common: dict[str, Any]) -> Part:
    if len(files) == 1:
        return _single(*files[0], caption | common)
    media: list[Any] = [
        (InputMediaPhoto if _is_photo(file) else InputMediaVideo)(
            media=_upload(file, data), **(caption if index == 0 else {})
        )
        for index, (file, data) in enumerate(files)
    ]
    return SendMediaGroup(media=media, **common)


def _single(file: OutgoingFile, data: bytes, given: dict[str, Any]) -> Part:
    upload = _upload(file, data)
    if _is_photo(file):
        return SendPhoto(photo=upload, **given)
    if file.kind == "video":
        return SendVideo(video=upload, supports_streaming=True, **given)
    if file.kind == "voice" and file.mime in _VOICES:
        return SendVoice(voice=upload, **given)
    if file.kind in ("audio", "voice") and file.mime in _AUDIOS:
        return SendAudio(audio=upload, **given)
    return SendDocument(document=upload, **given)


def _upload(file: OutgoingFile, data: bytes) -> BufferedInputFile:
    return BufferedInputFile(data, filename=clean(file.name) or "file")
