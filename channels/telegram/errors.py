"""What Telegram's refusals mean: answers of the Bot API → what to do next."""

from datetime import timedelta
from typing import Any

from channels.base import DeliveryError, Rejected, RetryLater, Unauthorized
from channels.http import Answer, retry_after, unusable

# Beginnings of descriptions, lower-case → code. The Bot API has no finer error codes.
_BAD_REQUESTS = {
    "chat not found": "chat_not_found",
    "user not found": "chat_not_found",
    "peer_id_invalid": "chat_not_found",
    "message is too long": "too_long",
    "message caption is too long": "too_long",
    "message text is empty": "empty",
    "text must be non-empty": "empty",
    "file is too big": "too_large",
    "wrong file": "bad_file",
    "invalid file": "bad_file",
    "photo_invalid_dimensions": "bad_image",
    "image_process_failed": "bad_image",
    "photo_save_file_invalid": "bad_image",
    "voice_messages_forbidden": "voice_forbidden",
    "message is not modified": "not_modified",
    "message to edit not found": "gone",
    "message to react not found": "gone",
    "message can't be edited": "too_old",
    "message_edit_time_expired": "too_old",
    "message to delete not found": "already_gone",
    "message can't be deleted": "too_old",
    "reaction_invalid": "bad_reaction",
    "query is too old": "query_expired",
    "query_id_invalid": "query_expired",
    "button_data_invalid": "bad_button",
    "button_url_invalid": "bad_button",
    "inline keyboard button url": "bad_button",
}
_FORBIDDEN = {
    "deactivated": "deactivated",
    "can't initiate": "not_started",
    "kicked": "kicked",
}


class Migrated(Rejected):
    """The group became a supergroup with another id; the message may be sent there."""

    def __init__(self, chat: int) -> None:
        super().__init__("The group has moved to another id", code="migrated")
        self.chat = chat


def failure(answer: Answer, data: Any, *, safe: bool) -> DeliveryError:
    """The error for an answer that is not `ok`. `data` is its body as JSON, None when it is none."""
    if not isinstance(data, dict) or "ok" not in data:
        return unusable(answer, safe=safe)
    code = data.get("error_code") if isinstance(data.get("error_code"), int) else answer.status
    reason = str(data.get("description") or f"Telegram refused (HTTP {answer.status})")[:300]
    given = data.get("parameters")
    return _by_code(int(code or 0), reason, given if isinstance(given, dict) else {}, answer)


def _by_code(code: int, reason: str, parameters: dict[str, Any], answer: Answer) -> DeliveryError:
    if code == 429:
        wait = parameters.get("retry_after")
        after = timedelta(seconds=wait) if isinstance(wait, int) else retry_after(answer, 5)
        return RetryLater(reason, after=after, code="flood", lane=True)
    if isinstance(parameters.get("migrate_to_chat_id"), int):
        return Migrated(parameters["migrate_to_chat_id"])
    if code == 403:
        return _forbidden(reason)
    # 404 is what Telegram answers to a token of the wrong form.
    if code in (401, 404):
        return Unauthorized("Telegram does not accept the token", code="unauthorized")
    if code == 409:
        return RetryLater("Somebody else receives this bot's messages", code="conflict")
    if code == 413:
        return Rejected(reason, code="too_large")
    return RetryLater(reason, code="server") if code >= 500 else _bad_request(reason)


def _forbidden(reason: str) -> Rejected:
    text = reason.lower()
    if "rights" in text:
        return Rejected(reason, code="forbidden")
    code = next((code for word, code in _FORBIDDEN.items() if word in text), "blocked")
    return Rejected(reason, code=code, unreachable=True)


def _bad_request(reason: str) -> Rejected:
    text = reason.lower()
    code = next((code for words, code in _BAD_REQUESTS.items() if words in text), "rejected")
    return Rejected(reason, code=code, unreachable=code == "chat_not_found")
