"""The adapter of the API channel: a service posts customers' messages and gets the answers."""

import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from uuid import uuid4

from channels.acts import Act
from channels.api import files
from channels.api import parse as payloads
from channels.api.schema import MAX_FILES, MAX_TEXT
from channels.api.settings import ApiSettings
from channels.api.signature import sign
from channels.base import (
    Account,
    AccountInfo,
    AdapterSettings,
    Batch,
    Capabilities,
    Event,
    Gone,
    Link,
    OutcomeUnknown,
    OutgoingFile,
    OutgoingMessage,
    Rejected,
    RetryLater,
    Sender,
    Sent,
    Unauthorized,
    WebhookReply,
    WebhookRequest,
    no_act,
)
from channels.http import Answer, HttpClient, retry_after
from channels.text import clean

MAX_INLINE_BYTES = 1_000_000


class ApiAdapter:
    """See `channels.base.Adapter`."""

    kind: ClassVar[str] = "api"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=frozenset({"push"}),
        max_text=MAX_TEXT,
        attachments=frozenset({"image", "video", "audio", "voice", "document", "sticker"}),
        max_attachments=MAX_FILES,
        max_file_bytes=50_000_000,
        reply=True,
        deduplicates=True,
        can_initiate=True,
    )
    Settings: ClassVar[type[AdapterSettings]] = ApiSettings

    def __init__(self, account: Account) -> None:
        assert isinstance(account.settings, ApiSettings)
        self.account = account
        self.settings = account.settings
        self._http = HttpClient(account.settings.http, base_url="")

    async def check(self) -> AccountInfo:
        """Post a ping to the callback; without one there is nobody to ask."""
        if self.settings.callback_url:
            if not self.settings.signing_secret.get_secret_value():
                reason = "Set `signing_secret`: answers are signed with it, and you check them with it."
                raise Rejected(reason, code="no_signing_secret")
            await self._post({"type": "ping"}, delivery=f"ping-{uuid4().hex}", safe=True)
        id = self.account.id if self.account.id.int else uuid4()
        return AccountInfo(title=self.account.name, external_id=id.hex)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        """Services push; there is nothing to pull."""
        nothing: list[Batch] = []
        for batch in nothing:
            yield batch

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        """Services use the REST API with a token of their own."""
        return WebhookReply(status=403)

    def parse(self, payload: bytes) -> list[Event]:
        """See `channels.api.parse`."""
        return payloads.parse(payload)

    def extract(self, payload: bytes, ref: dict[str, Any]) -> tuple[bytes, str, str]:
        """Bytes, MIME type and name of a file that came inside of the stored payload. Pure."""
        try:
            return payloads.extract(payload, ref)
        except (KeyError, TypeError) as error:
            raise Gone("the message has no such file") from error

    async def send(self, message: OutgoingMessage) -> Sent:
        """Post the answer to the callback; without one the service reads it from the event feed."""
        chat = message.chat or message.recipient
        if len(message.text) > MAX_TEXT:
            raise Rejected(f"The text is longer than {MAX_TEXT} characters.", code="too_long")
        if not message.text.strip() and not message.files:
            raise Rejected("The message is empty.", code="empty")
        if not self.settings.callback_url:
            return Sent(external_ids=[message.key], chat=chat)
        answer = await self._post(await _body(message), delivery=message.key)
        return Sent(external_ids=[_given_id(answer) or message.key], chat=chat)

    async def _post(self, data: dict[str, Any], *, delivery: str, safe: bool = False) -> Answer:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = str(int(time.time()))
        secret = self.settings.signing_secret.get_secret_value()
        headers = {
            "Content-Type": "application/json",
            "X-Otklik-Delivery": delivery,
            "X-Otklik-Timestamp": timestamp,
            "X-Otklik-Signature": sign(secret, timestamp=timestamp, body=body),
        }
        url = self.settings.callback_url
        answer = await self._http.request("POST", url, safe=safe, content=body, headers=headers)
        _judge(answer, safe=safe)
        return answer

    async def act(self, act: Act) -> None:
        raise no_act()

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        """A file or picture that the service named by address."""
        url = ref.get("url")
        if not isinstance(url, str):
            raise Gone("the file has no address")
        return await files.fetch(
            url, self.settings.http, limit=limit, allow_private=self.settings.allow_private_urls
        )

    async def profile(self, external_id: str) -> Sender | None:
        """Services tell all they know with the message."""
        return None

    async def typing(self, chat: str) -> None:
        """Not passed on."""

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        """The service makes its own links; it posts the token as `link_token`."""
        return None

    async def close(self) -> None:
        await self._http.close()


def _judge(answer: Answer, *, safe: bool) -> None:
    """Raise what an answer other than success means."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 401:
        raise Unauthorized(
            "The callback does not accept our signature (HTTP 401).", code="callback_signature"
        )
    if status == 403:
        raise Rejected("The callback refused our call (HTTP 403).", code="callback_refused")
    if status in (502, 504) and not safe:
        raise OutcomeUnknown(f"A gateway before the callback failed (HTTP {status}).", code="gateway")
    if status in (408, 425, 429) or status >= 500:
        reason = f"The callback asks to try later (HTTP {status})."
        raise RetryLater(reason, after=retry_after(answer, 30), code="callback_busy", lane=status == 429)
    raise Rejected(f"The callback did not take the message (HTTP {status}).", code="callback_rejected")


def _given_id(answer: Answer) -> str:
    data = answer.json()
    value = data.get("id") if isinstance(data, dict) else None
    return str(value)[:200] if isinstance(value, str | int) and not isinstance(value, bool) else ""


async def _body(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "type": "message",
        "id": message.key,
        "chat": message.chat or message.recipient,
        "recipient": message.recipient,
        "text": clean(message.text),
        "files": [await _file(file) for file in message.files],
        "reply_to": message.reply_to,
        "author": message.author,
    }


async def _file(file: OutgoingFile) -> dict[str, Any]:
    """A small file with its content; of a larger one only name and size: it is read from our API."""
    about: dict[str, Any] = {"name": file.name, "mime": file.mime, "kind": file.kind, "size": file.size}
    if file.size <= MAX_INLINE_BYTES:
        return about | {"content_base64": b64encode(await file.content.read()).decode()}
    return about | {"omitted": True}
