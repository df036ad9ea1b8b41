"""The adapter of the site chat: there is no platform behind it, visitors read from our own server."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from channels.acts import Act
from channels.base import (
    Account,
    AccountInfo,
    Batch,
    Capabilities,
    Event,
    Gone,
    Link,
    OutgoingMessage,
    Rejected,
    Sender,
    Sent,
    WebhookReply,
    WebhookRequest,
    no_act,
)
from channels.webchat.parse import parse
from channels.webchat.settings import MAX_FILES, WebchatSettings


class WebchatAdapter:
    """One chat on a web site."""

    kind: ClassVar[str] = "webchat"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=frozenset({"push"}),
        max_text=32_000,
        attachments=frozenset({"image", "video", "audio", "voice", "document", "sticker"}),
        max_attachments=MAX_FILES,
        max_file_bytes=50 * 1024 * 1024,
        typing=True,
        delivery="read",
        deduplicates=True,
        deep_link=True,
    )
    Settings: ClassVar[type[WebchatSettings]] = WebchatSettings

    def __init__(self, account: Account) -> None:
        assert isinstance(account.settings, WebchatSettings)
        self.account = account
        self._settings = account.settings

    async def check(self) -> AccountInfo:
        """There is nobody to ask: the chat is as good as this server."""
        id = self.account.id if self.account.id.int else uuid4()
        return AccountInfo(title=self._settings.title or self.account.name, external_id=id.hex)

    async def start(self) -> None:
        return None

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        nothing: list[Batch] = []
        for batch in nothing:
            yield batch

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        """Nobody calls: visitors use the public endpoints."""
        return WebhookReply(status=403)

    def parse(self, payload: bytes) -> list[Event]:
        return parse(payload)

    async def send(self, message: OutgoingMessage) -> Sent:
        """The visitor reads it from our server, so it is sent as soon as it is stored."""
        if not message.text.strip() and not message.files:
            raise Rejected("The message is empty.", code="empty")
        chat = message.chat or message.recipient
        if not chat:
            raise Rejected("A visitor can be answered only after he wrote.", code="no_chat")
        return Sent(external_ids=[message.key], chat=chat)

    async def act(self, act: Act) -> None:
        raise no_act()

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        """Visitors' files are uploaded to us before their message: there is nothing to fetch."""
        raise Gone("The file was not uploaded to this server.")

    async def profile(self, external_id: str) -> Sender | None:
        return None

    async def typing(self, chat: str) -> None:
        """The visitor's page hears it from the live feed of this server."""
        return None

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        """The page with the chat; the token stands in the fragment, which no server sees."""
        page = self._settings.site_url or _own_page(self.account.webhook_url, self.account.id)
        return Link(f"{page}#otklik={token}") if page else None

    async def close(self) -> None:
        return None


def _own_page(webhook_url: str, channel_id: UUID) -> str:
    parts = urlsplit(webhook_url)
    if not parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc}/widget/frame.html?channel={channel_id}"


def embed_code(url: str, channel_id: UUID) -> str:
    """What an administrator puts into his pages; `url` is our public address."""
    return f'<script src="{url}/widget/loader.js" data-channel="{channel_id}" async></script>'
