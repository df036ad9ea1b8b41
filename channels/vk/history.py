"""Filling a gap of the long poll from the community's history.

Messages come again under a key of their own (`history:<peer>:<id>`); that they may be known already is
settled by whoever stores them, by chat and message id.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from channels.base import RawEvent
from channels.vk.client import VERSION, Client

PAGE = 200
"""The most that VK gives at once."""
MAX_PAGES = 50
OVERLAP = 60
"""Seconds read twice: messages of one second may lie on both sides of the gap."""


async def newest_date(client: Client, group: int) -> int:
    """Time of the newest message of all, in Unix seconds; 0 when there is none."""
    conversations = await _page(client, "messages.getConversations", group_id=group, count=1)
    return max((_date(item.get("last_message")) for item in conversations), default=0)


async def since(client: Client, group: int, date: int) -> AsyncIterator[tuple[list[RawEvent], int]]:
    """Per conversation that changed after `date`: its messages since, oldest first, and the newest date."""
    edge = date - OVERLAP
    for page in range(MAX_PAGES):
        given = {"group_id": group, "count": PAGE, "offset": page * PAGE}
        conversations = await _page(client, "messages.getConversations", **given)
        changed = [item for item in conversations if _date(item.get("last_message")) >= edge]
        for item in changed:
            messages = await _messages(client, group, item["last_message"].get("peer_id"), edge)
            yield [_event(group, message) for message in messages], _date(item["last_message"])
        # Newest first: the first page with an old one is the last of interest.
        if len(conversations) < PAGE or len(changed) < len(conversations):
            return


async def _messages(client: Client, group: int, peer: Any, edge: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(MAX_PAGES):
        given = {"group_id": group, "peer_id": peer, "count": PAGE, "offset": page * PAGE}
        messages = await _page(client, "messages.getHistory", **given)
        fresh = [message for message in messages if _date(message) >= edge]
        found += fresh
        if len(messages) < PAGE or len(fresh) < len(messages):
            break
    return found[::-1]


async def _page(client: Client, method: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = await client.call(method, **parameters)
    items = answer.get("items") if isinstance(answer, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _date(message: Any) -> int:
    value = message.get("date") if isinstance(message, dict) else None
    return value if isinstance(value, int) else 0


def _event(group: int, message: dict[str, Any]) -> RawEvent:
    """As the long poll would have brought it."""
    peer, number = message.get("peer_id"), message.get("conversation_message_id")
    key = f"history:{peer}:{number}"
    common = {"group_id": group, "event_id": key, "v": VERSION}
    # Ours come as `message_reply`, whose object is the message itself.
    if message.get("out"):
        event = common | {"type": "message_reply", "object": message}
    else:
        event = common | {"type": "message_new", "object": {"message": message, "client_info": {}}}
    return RawEvent(key=key, payload=json.dumps(event).encode(), lane=str(peer))
