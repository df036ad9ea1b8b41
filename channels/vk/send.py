"""Outgoing messages → `messages.send`. VK drops a repeated `random_id`, so a send may be repeated."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from channels.base import OutgoingMessage, Rejected, Sent
from channels.text import clean, split
from channels.vk.client import Client
from channels.vk.errors import failure
from channels.vk.keyboard import keyboard

Upload = Callable[..., Awaitable[str]]
"""`upload(file, peer=…)`: uploads a file for a message and returns what to attach."""

MAX_TEXT = 4096
MAX_FILES = 10
MAX_FILE = 50 << 20


def random_id(key: str, part: int = 0) -> int:
    """Positive int32 for a part of a message, the same at every repeat: small keys are themselves."""
    if part == 0 and key.isdecimal() and 0 < int(key) < 2**31:
        return int(key)
    digest = hashlib.sha256(f"{key}:{part}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % (2**31 - 1) + 1


def peer_of(chat: str) -> int:
    if not chat.lstrip("-").isdecimal():
        raise Rejected("The chat's id is not one of VK's", code="chat_gone")
    return int(chat)


async def send(client: Client, upload: Upload, message: OutgoingMessage) -> Sent:
    """Send a text, in parts when long, and the files with its last part; raises a `DeliveryError`."""
    peer = peer_of(message.chat or message.recipient)
    if any(file.size > MAX_FILE for file in message.files):
        raise Rejected("VK takes files up to 50 MB here", code="too_large")
    parts = split(clean(message.text), MAX_TEXT)
    if not parts and not message.files:
        raise Rejected("The message is empty", code="empty")
    attachments = [await upload(file, peer=peer) for file in message.files]
    sent: list[str] = []
    for number, given in enumerate(_bodies(message, peer, parts, attachments)):
        try:
            sent += await _send_one(client, peer, random_id(message.key, number), given)
        except Rejected as error:
            if sent:
                error.reason = f"The first {number} parts were sent, then: {error.reason}"
            raise
    return Sent(external_ids=sent, chat="" if message.chat else str(peer))


def _bodies(
    message: OutgoingMessage, peer: int, parts: list[str], attachments: list[str]
) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = [{"message": part} for part in parts] or [{}]
    bodies[0]["forward"] = _quote(message, peer)
    groups = [attachments[start : start + MAX_FILES] for start in range(0, len(attachments), MAX_FILES)]
    if groups:
        bodies[-1]["attachment"] = ",".join(groups[0])
    bodies += [{"attachment": ",".join(group)} for group in groups[1:]]
    bodies[-1]["keyboard"] = keyboard(message.buttons)
    return [body | {"payload": payload(message.key, number)} for number, body in enumerate(bodies)]


def payload(key: str, part: int) -> str:
    """What echoes and edits of a message of ours bring back: whose it is, and which part of it."""
    return json.dumps({"otklik": key} | ({"part": part} if part else {}))


def _quote(message: OutgoingMessage, peer: int) -> str | None:
    if not message.reply_to.isdecimal():
        return None
    quoted = {"peer_id": peer, "conversation_message_ids": [int(message.reply_to)], "is_reply": 1}
    return json.dumps(quoted)


async def _send_one(client: Client, peer: int, number: int, given: dict[str, Any]) -> list[str]:
    # With `peer_ids` the answer holds the id within the chat; with `peer_id` only the community's own.
    answer = await client.call("messages.send", peer_ids=peer, random_id=number, disable_mentions=1, **given)
    item = answer[0] if isinstance(answer, list) and answer else {}
    if not isinstance(item, dict):
        return []
    if "error" in item:
        raise failure(item["error"])
    found = item.get("conversation_message_id")
    return [str(found)] if found else []
