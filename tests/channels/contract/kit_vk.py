"""VK in the contract suite, over the fake community."""

import json
from typing import Any, ClassVar

from channels.base import OutgoingMessage, WebhookRequest
from tests.channels.contract.kit import CALL_FAULTS, TIMEOUT, Kit
from tests.fakes.vk import GROUP, TOKEN, FakeVk

METHODS = {"send": "messages.send", "pull": "a_check", "check": "groups.getById"}
CUSTOMER = 601


def _event(kind: str, body: Any) -> bytes:
    event = {"type": kind, "object": body, "group_id": GROUP, "event_id": "e1", "v": "5.199"}
    return json.dumps(event).encode()


def _message(**content: Any) -> dict[str, Any]:
    message = {
        "id": 12, "date": 1_760_000_000, "peer_id": CUSTOMER, "from_id": CUSTOMER,
        "conversation_message_id": 3, "text": "", "attachments": [], "out": 0,
    }  # fmt: skip
    return {"message": message | content, "client_info": {}}


class VkKit(Kit):
    kind: ClassVar[str] = "vk"
    poll = True
    webhook = True
    call_faults = CALL_FAULTS
    refusals = ("flood", "forbidden", "bad_request", "revoked")
    lost_reply = True
    secrets = (TOKEN,)
    poison = (
        *Kit.poison, b"{}", _event("message_new", None), _event("message_new", {"message": []}),
        # The form of API versions before 5.103.
        _event("message_new", _message(text="x")["message"]),
        _event("message_new", {"message": {"id": 1}}), _event("message_deny", {"user_id": "кто"}),
    )  # fmt: skip
    strange = (
        _event("never_seen_before", {"x": 1}), _event("wall_post_new", {"id": 1}),
        _event("message_new", _message(action={"type": "chat_pin_message"})),
        _event("message_new", _message(from_id=-5, text="x")),
    )  # fmt: skip
    strange_personal = (
        _event("message_new", _message(attachments=[{"type": "hologram", "hologram": {"id": 1}}])),
        _event("message_new", _message(attachments=[{"type": "gift", "gift": {"id": 1}}])),
        _event("message_new", _message(attachments=[{}])),
    )  # fmt: skip

    async def open(self) -> None:
        self.fake = await FakeVk(retry_unit=0.01).__aenter__()
        self.fake.customer_writes(user_id=CUSTOMER, text="Начать")

    async def close(self) -> None:
        await self.fake.__aexit__()

    def settings(self) -> dict[str, Any]:
        http = {"base_url": self.fake.url, "timeout": TIMEOUT}
        return {"token": self.fake.token, "http": http, "group_id": GROUP}

    async def customer_writes(self, text: str) -> None:
        self.fake.customer_writes(user_id=CUSTOMER, text=text)

    def webhook_request(self, text: str, number: int = 1) -> WebhookRequest:
        event = json.loads(_event("message_new", _message(text=text)))
        return self._request(event | {"event_id": f"e{number}", "secret": self.account().webhook_secret})

    def _request(self, body: Any) -> WebhookRequest:
        return WebhookRequest(json.dumps(body).encode(), {"content-type": "application/json"})

    def wrong_secret(self, request: WebhookRequest) -> list[WebhookRequest]:
        call = json.loads(request.body)
        bare = {name: value for name, value in call.items() if name != "secret"}
        wrong = [bare, bare | {"secret": ""}, bare | {"secret": "нет"}, bare | {"secret": None}]
        foreign = call | {"group_id": 1}
        confirmation = {"type": "confirmation", "group_id": GROUP, "secret": "нет"}
        return [self._request(body) for body in (*wrong, foreign, confirmation)]

    def malformed(self) -> list[WebhookRequest]:
        call = json.loads(self.webhook_request("x").body)
        bodies = [b"", b"{", b"[]", b"null", b"\xff", json.dumps(call | {"type": 5}).encode()]
        bodies.append(json.dumps(call | {"object": "text"}).encode())
        return [WebhookRequest(body, {}) for body in bodies]

    async def fail_next(self, fault: str, *, calls: str) -> None:
        if fault == "down":
            await self.fake.go_down()
            return
        # The long poll itself needs no token: a revoked one shows when a new server is asked for.
        revoked_pull = fault == "revoked" and calls == "pull"
        method = "groups.getLongPollServer" if revoked_pull else METHODS[calls]
        if calls == "pull" and fault == "500":
            method = "groups.getLongPollServer"
        self.fake.fail_next(fault, method=method)

    async def recover(self) -> None:
        await self.fake.listen()

    def received(self) -> list[str]:
        return [message.text for message in self.fake.sent if message.text]

    def received_files(self) -> list[bytes]:
        return [upload.content for message in self.fake.sent for upload in message.files]

    def received_quotes(self) -> list[str]:
        return [str(message.reply_to) for message in self.fake.sent if message.reply_to]

    def saw_typing(self) -> bool:
        return self.fake.typing == [CUSTOMER]

    def fetchable(self) -> tuple[dict[str, Any], bytes] | None:
        content = b"%PDF-1.7 invoice"
        return {"url": self.fake.host_file(content, name="invoice.pdf", mime="application/pdf")}, content

    def gone(self) -> list[dict[str, Any]]:
        page = self.fake.host_file(b"<html>", name="page", mime="text/html")
        urls = [
            f"{self.fake.url}/file/never", page, "http://127.0.0.1:1/x", "https://evil.example/vk.com",
            "https://vk.com.evil.example/x", "http://vk.com/x", "file:///etc/passwd", "https://[::1", "",
            "https://user@127.0.0.1/vk.com",
        ]  # fmt: skip
        return [{"url": url} for url in urls]

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        return OutgoingMessage(key=key, chat=str(CUSTOMER), recipient=str(CUSTOMER), text=text, **changes)
