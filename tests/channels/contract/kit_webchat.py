"""The site chat in the contract suite. Its platform is this server: what is sent is what the page reads.

How visitors' pages read it, and hear that somebody types, is tested in `tests/widget`.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from channels.base import Adapter, OutgoingMessage, Sent
from channels.webchat.adapter import WebchatAdapter
from tests.channels.contract.kit import Kit

VISITOR = "0f5c2ce8a2f14d0e9d4c8f0a2b7f4f11"


def _event(**changes: Any) -> bytes:
    event = {"type": "message", "visitor": VISITOR, "client_key": "k", "text": "x"}
    return json.dumps(event | changes).encode()


class Reading(WebchatAdapter):
    """The adapter, and a page that shows each message once."""

    page: dict[str, OutgoingMessage]
    typed: list[str]

    async def send(self, message: OutgoingMessage) -> Sent:
        sent = await super().send(message)
        self.page[sent.external_ids[0]] = message
        return sent

    async def typing(self, chat: str) -> None:
        await super().typing(chat)
        self.typed.append(chat)


class WebchatKit(Kit):
    kind: ClassVar[str] = "webchat"
    secrets = ("wh-Secret_0123456789",)
    poison = (
        *Kit.poison, b"{}", _event(type="poll"), _event(visitor=""), _event(client_key=""), _event(visitor=7),
        _event(text="x" * 8001), _event(files=[{"upload": "../etc/passwd"}]), _event(files=[{}]),
        _event(at="yesterday"), _event(type="receipt", status="failed", up_to="1"),
        _event(type="receipt", status="read", up_to="-1"), _event(type="link"),
    )  # fmt: skip

    async def open(self) -> None:
        self.page: dict[str, OutgoingMessage] = {}
        self.typed: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"site_url": "https://shop.test/tea"}

    @asynccontextmanager
    async def adapter(self, **changes: Any) -> AsyncIterator[Adapter]:
        adapter = Reading(self.account(**changes))
        adapter.page, adapter.typed = self.page, self.typed
        yield adapter
        await adapter.close()

    def received(self) -> list[str]:
        # The thread holds no NUL (`dialogs.store.clean`).
        return [message.text.replace("\x00", "") for message in self.page.values()]

    def received_files(self) -> list[bytes]:
        return [file.content.data for message in self.page.values() for file in message.files]  # type: ignore[attr-defined]

    def saw_typing(self) -> bool:
        return bool(self.typed)

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        return OutgoingMessage(key=key, text=text, **({"chat": VISITOR, "recipient": VISITOR} | changes))
