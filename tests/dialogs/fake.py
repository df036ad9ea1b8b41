"""A channel whose platform is the test itself: events are JSON, sends do what the test says.

With a `journal` in the settings the platform is a file that outlives the process: one line per message
it took; `source` is a file of events to be pulled.
`deduplicating` takes the same key once, `plain` as often as it comes.
"""

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from channels import base
from channels.acts import Act
from channels.base import (
    Account,
    AccountInfo,
    AdapterSettings,
    BadEvent,
    Batch,
    Capabilities,
    Event,
    File,
    Gone,
    InboundMessage,
    Link,
    OutgoingMessage,
    RawEvent,
    Sender,
    Sent,
    WebhookReply,
    WebhookRequest,
)

KINDS = {
    "telegram": "tests.dialogs.fake:Plain",
    "vk": "tests.dialogs.fake:Deduplicating",
    "email": "tests.dialogs.fake:Plain",
}
"""In whose place the fakes stand: the API knows no kinds but its own."""
NAMES = {"plain": "telegram", "deduplicating": "vk"}

_CAPABILITIES = Capabilities(
    inbound=frozenset({"push"}),
    max_text=30_000,
    attachments=frozenset({"document", "image"}),
    max_attachments=5,
    max_file_bytes=1 << 20,
    delivery="read",
    acts=frozenset({"edit", "delete", "react", "read", "acknowledge"}),
    delete_within=timedelta(hours=48),
    emojis=("👍", "👎"),
    max_buttons=4,
    tells=frozenset({"edits", "deletions", "reactions", "typing"}),
)


def payload(*events: Event) -> bytes:
    """Raw event that will be understood as `events`."""
    return json.dumps(
        [{"type": type(event).__name__} | asdict(event) for event in events], default=str
    ).encode()


def message(who: str, text: str = "Hello", **values: Any) -> InboundMessage:
    """A message of `who`, in a chat of his own."""
    usual = {"chat": who, "external_id": uuid4().hex, "sender": Sender("", who, name=who.title())}
    return InboundMessage(**usual | {"text": text} | values)  # type: ignore[arg-type]


class FakeSettings(AdapterSettings):
    journal: str = ""
    source: str = ""


class Plain:
    kind: ClassVar[str] = "plain"
    capabilities: ClassVar[Capabilities] = _CAPABILITIES
    Settings: ClassVar[type[FakeSettings]] = FakeSettings

    def __init__(self, account: Account) -> None:
        assert isinstance(account.settings, FakeSettings)
        self.journal, self.source = account.settings.journal, account.settings.source
        self.exhausted = asyncio.Event()
        self.calls: list[OutgoingMessage] = []
        self.acts: list[Act] = []
        self.refusal: Exception | None = None
        self.answer: Callable[[OutgoingMessage], Awaitable[Sent]] = self.take

    async def take(self, message: OutgoingMessage) -> Sent:
        return Sent([f"p{message.key}"])

    async def send(self, message: OutgoingMessage) -> Sent:
        self.calls.append(message)
        if self.journal:
            self._write(message.key)
        return await self.answer(message)

    def _write(self, key: str) -> None:
        with Path(self.journal).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if not (self.capabilities.deduplicates and key in file.read().split()):
                file.write(f"{key}\n")

    async def act(self, act: Act) -> None:
        self.acts.append(act)
        if self.refusal is not None:
            raise self.refusal

    async def check(self) -> AccountInfo:
        return AccountInfo("Fake", "fake")

    async def start(self) -> None:
        return None

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        """Three events at a time from the file `source`; an empty batch when none is left."""
        offset = cursor.get("offset", 0)
        while self.source:
            lines = _lines(self.source)[offset : offset + 3]
            events = [RawEvent(**json.loads(line) | {"payload": line.encode()}) for line in lines]
            offset += len(lines)
            yield Batch(events, {"offset": offset})
            if not lines:
                self.exhausted.set()
                await asyncio.sleep(0.05)

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        return WebhookReply(status=403)

    def parse(self, payload: bytes) -> list[Event]:
        if payload == b"bad":
            raise BadEvent("not an event at all")
        if payload == b"bug":
            raise RuntimeError("the adapter has a bug")
        values = json.loads(payload)
        return [_event(event) for event in (values["payload"] if self.source else values)]

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        raise Gone("there are no files")

    async def profile(self, external_id: str) -> Sender | None:
        return None

    async def typing(self, chat: str) -> None:
        return None

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        return None

    async def close(self) -> None:
        return None


class Deduplicating(Plain):
    kind: ClassVar[str] = "deduplicating"
    capabilities: ClassVar[Capabilities] = _CAPABILITIES.model_copy(update={"deduplicates": True})


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _event(values: dict[str, Any]) -> Event:
    kind = getattr(base, values.pop("type"))
    for name in ("sender", "recipient"):
        if values.get(name):
            values[name] = Sender(**values[name])
    if values.get("files"):
        values["files"] = [File(**file) for file in values["files"]]
    if values.get("occurred_at"):
        values["occurred_at"] = datetime.fromisoformat(values["occurred_at"])
    event: Event = kind(**values)
    return event
