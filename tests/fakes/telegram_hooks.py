"""Telegram's side of the updates: the queue, and webhooks with the order and the retries of the real ones."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.server import FakeServer, Upload

TOKEN = "700001:FAKE-telegram-token-AAAAAAAAAAAAAAA"
DEFAULT_ALLOWED_OUT = {"chat_member", "message_reaction", "message_reaction_count"}


@dataclass
class SentMessage:
    """What the bot sent: one message as the customer sees it."""

    method: str
    chat_id: int
    message_id: int
    text: str = ""
    file: Upload | None = None
    reply_to: int | None = None
    album: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list)
    date: float = field(default_factory=time.time, repr=False)
    edited: int = 0
    deleted: bool = False


class Hooks(FakeServer):
    """State of one bot, and its updates on their way out."""

    def __init__(
        self, *, port: int = 0, token: str = TOKEN, username: str = "otklik_bot", retry_unit: float = 1.0
    ) -> None:
        """`retry_unit`: what a second of the webhook's retry schedule lasts (0.01 in tests)."""
        super().__init__(port=port)
        self.token = token
        self.me = {
            "id": int(token.split(":")[0]),
            "is_bot": True,
            "first_name": "Отклик",
            "username": username,
        }
        self.sent: list[SentMessage] = []
        self.typing: list[int] = []
        self.queue: list[dict[str, Any]] = []
        """Updates that nobody confirmed yet."""
        self.files: dict[str, tuple[str, bytes]] = {}
        self.sizes: dict[str, int] = {}
        self.people: dict[int, dict[str, Any]] = {}
        self.avatars: dict[int, str] = {}
        self.blocked: set[int] = set()
        self.migrated: dict[int, int] = {}
        self.written: set[tuple[int, int]] = set()
        """Chat and number of what customers wrote."""
        self.reactions: dict[tuple[int, int], list[str]] = {}
        """The bot's, by chat and number of the message."""
        self.pressed: list[str] = []
        """Queries of pressed buttons that wait for an answer."""
        self.connections = {"bc77"}
        """Business accounts that the bot serves."""
        self.read: list[tuple[int, int]] = []
        self.webhook: dict[str, Any] = {}
        self.webhook_log: list[tuple[int, int]] = []
        """(update_id, status) of each webhook call, in order."""
        self.allowed: set[str] | None = None
        self.pushes: dict[int, deque[dict[str, Any]]] = {}
        self.retry_unit = retry_unit
        self._update_id = 1000
        self._message_id: dict[int, int] = {}
        self._poller: asyncio.Event | None = None
        self._changed = asyncio.Event()

    def _next_message(self, chat: int) -> int:
        self._message_id[chat] = self._message_id.get(chat, 0) + 1
        return self._message_id[chat]

    def push(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update of any form, for the poll or the webhook. Returns it with its id."""
        self._update_id += 1
        full = {"update_id": self._update_id} | update
        kind = next(iter(update), "")
        if not self._wanted(kind):
            return full
        self.queue.append(full)
        if self.webhook:
            self._schedule(full)
        self._wake()
        return full

    def _wanted(self, kind: str) -> bool:
        if self.allowed is None:
            return kind not in DEFAULT_ALLOWED_OUT
        return kind in self.allowed or not self.allowed

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _schedule(self, update: dict[str, Any]) -> None:
        """Calls of one chat go one after another; chats side by side."""
        part = next((value for value in update.values() if isinstance(value, dict)), {})
        lane = (part.get("chat") or part.get("message", {}).get("chat", {})).get("id", 0)
        waiting = self.pushes.get(lane)
        if waiting is not None:
            waiting.append(update)
            return
        self.pushes[lane] = waiting = deque([update])
        self.spawn(lambda: self._deliver(lane, waiting))

    async def _deliver(self, lane: int, waiting: deque[dict[str, Any]]) -> None:
        async with aiohttp.ClientSession() as session:
            while waiting and self.webhook:
                await self._deliver_one(session, waiting[0])
                waiting.popleft()
            # Before anything is awaited: what comes then needs a new delivery.
            if self.pushes.get(lane) is waiting:
                del self.pushes[lane]

    async def _deliver_one(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> None:
        """Until it is taken: the first retry at once, then after 2, 4, 8 … s, or when `Retry-After` says."""
        attempt = 0
        while self.webhook:
            status, wait = await self._post(session, update)
            self.webhook_log.append((update["update_id"], status))
            if 200 <= status < 300:
                with suppress(ValueError):
                    self.queue.remove(update)
                return
            delay = wait if wait is not None else (0 if attempt == 0 else min(2**attempt, 60))
            attempt += 1
            await asyncio.sleep(delay * self.retry_unit)

    async def _post(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> tuple[int, float | None]:
        headers = (
            {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret"]} if self.webhook["secret"] else {}
        )
        try:
            timeout = aiohttp.ClientTimeout(total=60)
            async with session.post(
                self.webhook["url"], json=update, headers=headers, timeout=timeout
            ) as answer:
                given = answer.headers.get("Retry-After", "")
                return answer.status, min(float(given), 3600) if given.isdigit() else None
        except (aiohttp.ClientError, TimeoutError):
            return 0, None
