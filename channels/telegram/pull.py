"""Telegram's two transports: long polling, where an offset confirms, and the webhook."""

import hmac
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from channels.base import Batch, RawEvent, RetryLater, WebhookReply, WebhookRequest

if TYPE_CHECKING:
    from channels.telegram.client import Client

ALLOWED = [
    "message",
    "edited_message",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
]
"""Reactions come to those only who ask for them."""
WAIT = 25
"""Seconds that Telegram holds a poll open; its own maximum is 50."""


async def pull(client: "Client", cursor: dict[str, Any]) -> AsyncIterator[Batch]:
    """Batches for ever. An offset is sent, and so confirmed, only after its batch was taken."""
    from aiogram.methods import GetUpdates

    # Another bot's offset means nothing here, and a stale one would only be forgiven.
    offset = int(cursor.get("offset", 0)) if cursor.get("bot") == client.bot_id else 0
    wait = int(max(1, min(WAIT, client.http.timeout)))
    while True:
        call = GetUpdates(offset=max(offset, 0), timeout=wait, limit=100, allowed_updates=ALLOWED)
        updates = await client.call(call, timeout=int(wait + max(1, client.http.timeout)))
        events = _events(updates)
        if events:
            # Not the largest ever: after a quiet week Telegram may go on with a lower number.
            offset = max(int(event.key) for event in events) + 1
        yield Batch(events=events, cursor={"bot": client.bot_id, "offset": offset})


def _events(updates: Any) -> list[RawEvent]:
    if not isinstance(updates, list):
        raise RetryLater("Telegram answered with something unexpected", code="bad_answer")
    known = [update for update in updates if isinstance(update, dict) and _is_id(update.get("update_id"))]
    return [raw_event(update, json.dumps(update).encode()) for update in known]


def raw_event(update: dict[str, Any], payload: bytes) -> RawEvent:
    return RawEvent(key=str(update["update_id"]), payload=payload, lane=_lane(update))


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _lane(update: dict[str, Any]) -> str:
    """The chat's id, wherever the update has one; a pressed button has it in its message."""
    parts = [part for part in update.values() if isinstance(part, dict)]
    inner = [part["message"] for part in parts if isinstance(part.get("message"), dict)]
    for part in (*parts, *inner):
        chat = part.get("chat")
        if isinstance(chat, dict) and _is_id(chat.get("id")):
            return str(chat["id"])
    return ""


def webhook(request: WebhookRequest, secret: str) -> WebhookReply:
    """Verify one call. Always 200 once the event is ours to store: another answer blocks its whole chat."""
    given = request.headers.get("x-telegram-bot-api-secret-token", "")
    if not secret or not hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode()):
        return WebhookReply(status=403)
    try:
        update = json.loads(request.body)
    except (ValueError, RecursionError):
        return WebhookReply(status=400)
    if not isinstance(update, dict) or not _is_id(update.get("update_id")):
        return WebhookReply(status=400)
    return WebhookReply(events=[raw_event(update, request.body)])
