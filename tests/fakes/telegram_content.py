"""What is inside the messages of the fake Telegram, and what it refuses of them."""

import json
from typing import Any

from tests.fakes.telegram_hooks import SentMessage


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        self.status, self.description, self.parameters = status, description, parameters


def caption_of(values: dict[str, Any]) -> str:
    caption = str(values.get("caption") or "")
    if length(caption) > 1024:
        raise Refused(400, "Bad Request: message caption is too long")
    return caption


def length(text: str) -> int:
    """In UTF-16 code units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def keyboard_of(values: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Rows of inline buttons, each with data of 1 to 64 bytes or an address."""
    rows: list[list[dict[str, Any]]] = json.loads(values.get("reply_markup") or "{}").get(
        "inline_keyboard", []
    )
    for button in (one for row in rows for one in row):
        if "url" not in button and not 1 <= len(button.get("callback_data", "").encode()) <= 64:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return rows


def content_of(sent: SentMessage) -> dict[str, Any]:
    """The file of a message, as the kind its method makes of it."""
    if sent.file is None:
        return {}
    kind = sent.method.removeprefix("send").lower()
    one = {"file_id": f"sent{sent.message_id}", "file_unique_id": f"u{sent.message_id}"}
    sized = {"width": 320, "height": 240}
    if kind in ("photo", "mediagroup"):
        return {"photo": [one | sized]} | ({"media_group_id": sent.album} if sent.album else {})
    extra = {"video": sized | {"duration": 1}, "voice": {"duration": 1}, "audio": {"duration": 1}}
    return {kind: one | extra.get(kind, {"file_name": sent.file.name})}
