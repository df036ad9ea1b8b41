"""The VK channel: a community, by Bots Long Poll or Callback API. Wiring only, no work of its own."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
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
    OutgoingFile,
    OutgoingMessage,
    Rejected,
    Sender,
    Sent,
    WebhookReply,
    WebhookRequest,
)
from channels.vk import act as acting
from channels.vk import fetch, keyboard, parse, pull, reactions, send
from channels.vk.client import Client
from channels.vk.people import People

if TYPE_CHECKING:
    from channels.vk.upload import Uploader


class VkSettings(AdapterSettings):
    token: SecretStr = Field(description="Access key of the community, with the right to messages.")
    transport: Literal["poll", "webhook"] = Field(
        "poll", description="`poll` needs no public address; `webhook` is the Callback API."
    )
    group_id: int = Field(0, ge=0, description="Number of the community; 0: found by the check.")
    confirmation: str = Field(
        "", description="Callback API: the string VK expects; empty: found by the check."
    )


class VkAdapter:
    """One community; see `channels.base.Adapter`."""

    kind: ClassVar[str] = "vk"
    Settings: ClassVar[type[AdapterSettings]] = VkSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=frozenset({"poll", "webhook"}),
        max_text=send.MAX_TEXT,
        attachments=frozenset({"image", "voice", "document"}),
        max_attachments=send.MAX_FILES,
        max_file_bytes=send.MAX_FILE,
        reply=True,
        typing=True,
        delivery="read",
        deduplicates=True,
        deep_link=True,
        acts=frozenset({"edit", "delete", "react", "read", "acknowledge"}),
        edit_within=timedelta(hours=24),
        delete_within=timedelta(hours=24),
        emojis=reactions.EMOJIS,
        max_buttons=keyboard.MAX_BUTTONS,
        tells=frozenset({"edits", "reactions", "typing"}),
    )

    def __init__(self, account: Account) -> None:
        self.account = account
        self.settings = cast(VkSettings, account.settings)
        token = self.settings.token.get_secret_value()
        self._client = Client(token, self.settings.http)
        self._people = People(self._client)
        self._uploader: Uploader | None = None
        self._group = self.settings.group_id
        self._confirmation = self.settings.confirmation

    def __repr__(self) -> str:
        return f"VkAdapter({self.account.id})"

    async def check(self) -> AccountInfo:
        """`facts` hold what the settings may lack: `group_id` and, for the Callback API, `confirmation`."""
        group = await self._find_group()
        facts: dict[str, Any] = {"group_id": group["id"], "screen_name": group.get("screen_name", "")}
        if self.settings.transport == "webhook":
            found = await self._client.call("groups.getCallbackConfirmationCode", group_id=group["id"])
            facts["confirmation"] = str(found.get("code", "")) if isinstance(found, dict) else ""
        return AccountInfo(title=str(group.get("name", "")), external_id=str(group["id"]), facts=facts)

    async def _find_group(self) -> dict[str, Any]:
        """The community whose token this is; must be the one the settings name, when they do."""
        found = await self._client.call("groups.getById", group_id=self.settings.group_id or None)
        groups = found.get("groups") if isinstance(found, dict) else found
        group = groups[0] if isinstance(groups, list) and groups else None
        if not isinstance(group, dict) or not isinstance(group.get("id"), int):
            raise Rejected("VK knows no such community, or the token is not a community's", code="no_group")
        return group

    async def _group_id(self) -> int:
        if not self._group:
            self._group = int((await self._find_group())["id"])
        return self._group

    async def start(self) -> None:
        group, url = await self._group_id(), self.account.webhook_url
        if self.settings.transport == "poll":
            await pull.start_poll(self._client, group, url)
            return
        secret = self.account.webhook_secret
        await pull.start_webhook(self._client, group, url, title=self.account.name, secret=secret)

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        if self.settings.transport == "poll":
            group, names = await self._group_id(), self._people.names
            async for batch in pull.pull(self._client, group, cursor, names=names):
                yield batch

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        secret = self.account.webhook_secret
        return pull.webhook(request, secret=secret, confirmation=self._confirmation, group=self._group)

    def parse(self, payload: bytes) -> list[Event]:
        return parse.parse(payload)

    async def send(self, message: OutgoingMessage) -> Sent:
        return await send.send(self._client, self._upload, message)

    async def _upload(self, file: OutgoingFile, *, peer: int) -> str:
        if self._uploader is None:  # its library is for those alone who send files
            from channels.vk.upload import Uploader

            self._uploader = Uploader(self._client, self.settings.token.get_secret_value())
        return await self._uploader.upload(file, peer=peer)

    async def act(self, act: Act) -> None:
        await acting.act(self._client, act)

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        return await fetch.fetch(self._client, ref, limit=limit)

    async def profile(self, external_id: str) -> Sender | None:
        return await self._people.profile(external_id)

    async def typing(self, chat: str) -> None:
        await self._client.call("messages.setActivity", peer_id=send.peer_of(chat), type="typing")

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        group = info.get("group_id") or self._group
        if not group or not re.fullmatch(r"[A-Za-z0-9_=-]{1,200}", token):
            return None
        return Link(url=f"https://vk.me/club{group}?ref={token}")

    async def close(self) -> None:
        if self._uploader is not None:
            await self._uploader.close()
        await self._people.close()
        await self._client.close()
