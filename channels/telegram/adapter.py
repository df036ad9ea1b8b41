"""The Telegram channel: a bot, by long polling or webhook. Wiring only; the work is in the modules beside.

Whoever only stores webhooks and answers the API never imports aiogram: it is loaded with the first
call to Telegram or the first event to be understood.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, SecretStr

from channels.acts import Act
from channels.base import (
    Account,
    AccountInfo,
    AdapterSettings,
    Batch,
    Capabilities,
    Event,
    Link,
    OutgoingMessage,
    RetryLater,
    Sender,
    Sent,
    WebhookReply,
    WebhookRequest,
)
from channels.telegram import limits, pull

if TYPE_CHECKING:
    from channels.telegram.client import Client


class TelegramSettings(AdapterSettings):
    token: SecretStr = Field(description="Token of the bot, from @BotFather.")
    transport: Literal["poll", "webhook"] = Field(
        "poll", description="`poll` needs no public address; `webhook` needs one with https."
    )


class TelegramAdapter:
    """One bot; see `channels.base.Adapter`."""

    kind: ClassVar[str] = "telegram"
    Settings: ClassVar[type[AdapterSettings]] = TelegramSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=frozenset({"poll", "webhook"}),
        max_text=limits.MAX_TEXT,
        attachments=frozenset({"image", "video", "audio", "voice", "document"}),
        max_attachments=10,
        max_file_bytes=limits.MAX_FILE,
        reply=True,
        typing=True,
        deep_link=True,
        acts=frozenset({"edit", "delete", "react", "read", "acknowledge"}),
        delete_within=limits.DELETE_WITHIN,
        emojis=limits.EMOJIS,
        max_buttons=limits.MAX_BUTTONS,
        tells=frozenset({"edits", "deletions", "reactions"}),
    )

    def __init__(self, account: Account) -> None:
        self.account = account
        self.settings = cast(TelegramSettings, account.settings)
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"TelegramAdapter({self.account.id})"

    async def _open(self) -> "Client":
        if self._client is None:
            # In a thread: it takes seconds, in which the event loop has other work.
            module = await asyncio.to_thread(import_module, "channels.telegram.client")
            self._client = self._client or module.Client(
                self.settings.token.get_secret_value(), self.settings.http
            )
        return self._client

    async def check(self) -> AccountInfo:
        client = await self._open()
        from aiogram.methods import GetMe

        me = await client.call(GetMe())
        if not isinstance(me, dict) or "id" not in me:
            raise RetryLater("Telegram answered with something unexpected", code="bad_answer")
        username = str(me.get("username", ""))
        facts = {"username": username, "name": me.get("first_name", "")}
        return AccountInfo(title=f"@{username}", external_id=str(me["id"]), facts=facts)

    async def start(self) -> None:
        client = await self._open()
        from aiogram.methods import DeleteWebhook, SetWebhook

        if self.settings.transport == "poll":
            await client.call(DeleteWebhook(drop_pending_updates=False))
            return
        hook = SetWebhook(
            url=self.account.webhook_url,
            secret_token=self.account.webhook_secret,
            allowed_updates=pull.ALLOWED,
            drop_pending_updates=False,
        )
        await client.call(hook)

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        if self.settings.transport == "poll":
            async for batch in pull.pull(await self._open(), cursor):
                yield batch

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        return pull.webhook(request, self.account.webhook_secret)

    def parse(self, payload: bytes) -> list[Event]:
        from channels.telegram import parse

        return parse.parse(payload)

    async def send(self, message: OutgoingMessage) -> Sent:
        client = await self._open()
        from channels.telegram import send

        return await send.send(client, message)

    async def act(self, act: Act) -> None:
        client = await self._open()
        from channels.telegram import act as acting

        await acting.act(client, act)

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        client = await self._open()
        from channels.telegram import fetch

        return await fetch.fetch(client, ref, limit=limit)

    async def profile(self, external_id: str) -> Sender | None:
        client = await self._open()
        from channels.telegram import fetch

        return await fetch.profile(client, external_id)

    async def typing(self, chat: str) -> None:
        client = await self._open()
        from aiogram.methods import SendChatAction

        from channels.telegram import send

        await client.call(SendChatAction(action="typing", **send.target(chat)))

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        # What Telegram takes as a start parameter.
        username = info.get("username")
        if not username or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token):
            return None
        return Link(url=f"https://t.me/{username}?start={token}")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
