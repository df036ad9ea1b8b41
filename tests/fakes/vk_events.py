"""VK's side of the events: long poll with its failures, callbacks with their retries."""

import asyncio
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.server import FakeServer, Upload

TOKEN = "vk1.a.FAKE-community-token-BBBBBBBBBBBBBBBB"
GROUP = 230001
Result = tuple[int, dict[str, Any]]


@dataclass
class SentMessage:
    """What the community sent: one message as the customer sees it."""

    peer_id: int
    conversation_message_id: int
    text: str
    random_id: int
    files: list[Upload] = field(default_factory=list)
    reply_to: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


class Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text


class Events(FakeServer):
    """State of one community, and its events on their way out."""

    def __init__(
        self, *, port: int = 0, token: str = TOKEN, group_id: int = GROUP, retry_unit: float = 1.0
    ) -> None:
        super().__init__(port=port)
        self.token, self.group_id, self.retry_unit = token, group_id, retry_unit
        self.confirmation = "c0nf1rm"
        self.people: dict[int, dict[str, Any]] = {}
        self.blocked: dict[int, int] = {}
        """Peer → error code of a send to him."""
        self.messages: dict[int, list[dict[str, Any]]] = {}
        """All messages of a peer, in and out, oldest first."""
        self.sent: list[SentMessage] = []
        self.typing: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.first_ts = 0
        """What lies before is forgotten: a poll from there is answered `failed: 1`."""
        self.key = "key1"
        self.long_poll: dict[str, str] = {}
        self.callbacks: dict[int, dict[str, Any]] = {}
        self.callback_log: list[tuple[str, int, int]] = []
        """(event_id, retry counter, status) of each callback call."""
        self.uploads: dict[str, Upload] = {}
        self.hosted: dict[str, Upload] = {}
        self._by_random: dict[tuple[int, int], dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._message_id = 0
        self._clock = int(time.time()) - 1000

    def emit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """An event of any kind, to the long poll and to the callback servers."""
        event = {
            "type": kind, "object": deepcopy(body), "group_id": self.group_id, "v": "5.199",
            "event_id": f"ev{len(self.events) + 1:08x}",
        }  # fmt: skip
        return self.repeat(event)

    def repeat(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same event once more, with the same `event_id`, as VK does after a reconnect."""
        self.events.append(event)
        for server in self.callbacks.values():
            self._enqueue(server, event)
        self._changed.set()
        self._changed = asyncio.Event()
        return event

    def lose_history(self) -> None:
        """The queue forgets what nobody has read: the next poll from there is told `failed: 1`."""
        self.first_ts = len(self.events) + 1
        self.events.append({"type": "lost", "object": {}, "event_id": "lost"})

    def expire_key(self) -> None:
        """The next poll is told `failed: 2`."""
        self.key = f"key{int(self.key[3:]) + 1}"

    async def _long_poll(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request, "a_check", lambda: self._check(dict(request.query)))

    async def _check(self, query: dict[str, str]) -> Result:
        if query.get("key") != self.key:
            return 200, {"failed": 2}
        ts = int(query.get("ts") or 0)
        if ts < self.first_ts or ts > len(self.events):
            return 200, {"failed": 1, "ts": len(self.events)}
        until = time.monotonic() + min(float(query.get("wait", 25)), 90)
        while len(self.events) <= ts and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return 200, {"ts": str(len(self.events)), "updates": self.events[ts:]}

    async def _confirm(self, server: dict[str, Any]) -> None:
        body = {"type": "confirmation", "group_id": self.group_id}
        async with aiohttp.ClientSession() as session, session.post(server["url"], json=body) as answer:
            if (await answer.text()) != self.confirmation:
                raise Refused(2000, "Servers number limit is reached or the server is not confirmed")

    def _enqueue(self, server: dict[str, Any], event: dict[str, Any]) -> None:
        server["queue"].append(event)
        if not server["busy"]:
            server["busy"] = True
            self.spawn(lambda: self._deliver(server))

    async def _deliver(self, server: dict[str, Any]) -> None:
        async with aiohttp.ClientSession() as session:
            while server["queue"]:
                event, attempt = server["queue"].popleft(), 0
                while not await self._post(session, server, event, attempt):
                    attempt += 1
                    await asyncio.sleep(min(2**attempt, 60) * self.retry_unit)
            server["busy"] = False  # before anything is awaited: what comes then needs a new delivery

    async def _post(
        self, session: aiohttp.ClientSession, server: dict[str, Any], event: dict[str, Any], attempt: int
    ) -> bool:
        """One call; taken only when it is answered 200 and the word `ok`."""
        headers = {"X-Retry-Counter": str(attempt)} if attempt else {}
        body = event | ({"secret": server["secret"]} if server["secret"] else {})
        status, taken = 0, False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(server["url"], json=body, headers=headers) as answer:
                status, taken = answer.status, answer.status == 200 and await answer.text() == "ok"
        self.callback_log.append((event["event_id"], attempt, status))
        return taken

    def _person(self, user_id: int, name: str = "Пётр Иванов") -> None:
        first, _, last = name.partition(" ")
        self.people.setdefault(user_id, {
            "id": user_id, "first_name": first, "last_name": last, "screen_name": f"id{user_id}",
            "photo_200": f"{self.url}/file/avatar{user_id}.jpg",
        })  # fmt: skip

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _message(self, peer: int, author: int, text: str) -> dict[str, Any]:
        self._message_id += 1
        return {
            "id": 0 if peer > 2_000_000_000 else self._message_id, "date": self._tick(), "peer_id": peer,
            "from_id": author, "text": text, "out": 0, "random_id": 0, "attachments": [], "fwd_messages": [],
            "conversation_message_id": len(self.messages.get(peer, [])) + 1, "important": False,
            "is_hidden": False, "version": 10000000 + self._message_id,
        }  # fmt: skip
