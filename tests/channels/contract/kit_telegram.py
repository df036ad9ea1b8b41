"""Telegram in the contract suite, over the fake Bot API."""

import json
from dataclasses import replace
from typing import Any, ClassVar

from channels.base import OutgoingMessage, WebhookRequest
from tests.channels.contract.kit import CALL_FAULTS, TIMEOUT, Kit
from tests.fakes.telegram import TOKEN, FakeTelegram

METHODS = {"send": "sendMessage", "pull": "getUpdates", "check": "getMe"}
CUSTOMER = 501


def _update(kind: str, body: Any) -> bytes:
    return json.dumps({"update_id": 9, kind: body}).encode()


def _message(**content: Any) -> dict[str, Any]:
    return {
        "message_id": 4, "date": 1_760_000_000,
        "chat": {"id": CUSTOMER, "type": "private", "first_name": "Анна"},
        "from": {"id": CUSTOMER, "is_bot": False, "first_name": "Анна"},
    } | content  # fmt: skip


class TelegramKit(Kit):
    kind: ClassVar[str] = "telegram"
    poll = True
    webhook = True
    call_faults = CALL_FAULTS
    refusals = ("flood", "forbidden", "bad_request", "revoked")
    lost_reply = True
    secrets = (TOKEN, TOKEN.split(":")[1])
    poison = (
        *Kit.poison, b"{}", b'{"update_id": "x"}', _update("message", "text"),
        _update("message", _message(text=7)), _update("message", {"message_id": 1}),
    )  # fmt: skip
    strange = (
        _update("never_seen_before", {"x": 1}), _update("poll_answer", {"poll_id": "1", "option_ids": []}),
        _update("channel_post", _message(text="канал")),
        _update("message", _message(pinned_message=_message(text="x"))),
        _update("message", _message(new_chat_title="Новое")),
    )  # fmt: skip
    strange_personal = (
        _update("message", _message()), _update("message", _message(hologram={"file_id": "x"})),
        _update("message", _message(story={"id": 1, "chat": {"id": 5, "type": "private"}})),
    )  # fmt: skip

    async def open(self) -> None:
        self.fake = await FakeTelegram(retry_unit=0.01).__aenter__()
        self.fake.customer_writes(user_id=CUSTOMER, text="/start")

    async def close(self) -> None:
        await self.fake.__aexit__()

    def settings(self) -> dict[str, Any]:
        return {"token": self.fake.token, "http": {"base_url": self.fake.url, "timeout": TIMEOUT}}

    async def customer_writes(self, text: str) -> None:
        self.fake.customer_writes(user_id=CUSTOMER, text=text)

    def webhook_request(self, text: str, number: int = 1) -> WebhookRequest:
        body = json.dumps({"update_id": number, "message": _message(text=text)}).encode()
        return WebhookRequest(body, {"x-telegram-bot-api-secret-token": self.account().webhook_secret})

    def wrong_secret(self, request: WebhookRequest) -> list[WebhookRequest]:
        given = [{}, {"x-telegram-bot-api-secret-token": ""}, {"x-telegram-bot-api-secret-token": "нет"}]
        return [replace(request, headers=headers) for headers in given]

    def malformed(self) -> list[WebhookRequest]:
        request = self.webhook_request("x")
        bodies = [b"", b"{", b"[]", b"null", b'{"update_id": "1"}', b'{"update_id": true}', b"\xff"]
        return [replace(request, body=body) for body in bodies]

    async def fail_next(self, fault: str, *, calls: str) -> None:
        if fault == "down":
            await self.fake.go_down()
        else:
            self.fake.fail_next(fault, method=METHODS[calls])

    async def recover(self) -> None:
        await self.fake.listen()

    def received(self) -> list[str]:
        return [message.text for message in self.fake.sent if message.text]

    def received_files(self) -> list[bytes]:
        return [message.file.content for message in self.fake.sent if message.file]

    def received_quotes(self) -> list[str]:
        return [str(message.reply_to) for message in self.fake.sent if message.reply_to]

    def saw_typing(self) -> bool:
        return self.fake.typing == [CUSTOMER]

    def fetchable(self) -> tuple[dict[str, Any], bytes] | None:
        content = b"%PDF-1.7 invoice"
        return {"file_id": self.fake.add_file(content, name="invoice.pdf")}, content

    def gone(self) -> list[dict[str, Any]]:
        huge = self.fake.add_file(b"x", size=21 << 20)
        return [{"file_id": huge}, {"file_id": huge, "size": 21 << 20}, {"file_id": "never"}]

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        return OutgoingMessage(key=key, chat=str(CUSTOMER), recipient=str(CUSTOMER), text=text, **changes)
