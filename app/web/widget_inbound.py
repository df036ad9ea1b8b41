"""What visitors do, on the road of every channel: stored raw here, understood by the inbox afterwards."""

import hashlib
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from channels import inbound
from channels.base import RawEvent
from channels.webchat.parse import LinkEvent, MessageEvent, ReceiptEvent, WebchatEvent, dump


def _key(event: WebchatEvent) -> str:
    match event:
        case MessageEvent():
            return message_key(event.visitor, event.client_key)
        case ReceiptEvent():
            return f"{event.status}:{event.visitor}:{event.up_to}"
        case LinkEvent():
            # The token itself is a secret until it is used.
            return f"link:{event.visitor}:{hashlib.sha256(event.token.encode()).hexdigest()[:32]}"
        case _:
            raise ValueError(f"{event.type} is not stored")


def message_key(visitor_id: str, client_key: str) -> str:
    return f"message:{visitor_id}:{client_key}"


async def store(session: AsyncSession, channel_id: UUID, event: WebchatEvent) -> None:
    """Store the raw event; a repeat of its key changes nothing."""
    raw = RawEvent(key=_key(event), payload=dump(event), lane=event.visitor)
    await inbound.store(session, channel_id, [raw])


async def find_message(
    session: AsyncSession, channel_id: UUID, *, visitor_id: str, client_key: str
) -> MessageEvent | None:
    """The raw message of this key, when it was stored before."""
    key = message_key(visitor_id, client_key)
    found = await inbound.find(session, channel_id=channel_id, key=key)
    return MessageEvent.model_validate_json(found.payload) if found else None


def wake(app: Any) -> None:
    """Have it understood now; without a loop in this process the worker finds it by itself."""
    if callable(ring := getattr(app.state, "inbox_wake", None)):
        ring("webchat")
