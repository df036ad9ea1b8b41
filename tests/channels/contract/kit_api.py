"""The API channel in the contract suite, over a service that takes our calls."""

import json
from typing import Any, ClassVar

from channels.base import OutgoingMessage
from tests.channels.contract.kit import CALL_FAULTS, TIMEOUT, Kit
from tests.fakes.callback import FakeCallback

SECRET = "callback-Secret_0123456789"


def _payload(**changes: Any) -> bytes:
    message = {"event_id": "e1", "sender": {"external_id": "7"}, "text": "x"}
    return json.dumps(message | changes).encode()


class ApiKit(Kit):
    kind: ClassVar[str] = "api"
    call_faults = CALL_FAULTS
    refusals = ("flood", "bad_request", "revoked")
    lost_reply = True
    secrets = (SECRET,)
    poison = (
        *Kit.poison, b"{}", _payload(event_id=""), _payload(text=""), _payload(sender=None),
        _payload(files=[{"url": "file:///etc/passwd"}]), _payload(files=[{"content_base64": "%"}]),
        _payload(files=[{}]), _payload(occurred_at="yesterday"), _payload(unknown=1),
    )  # fmt: skip

    async def open(self) -> None:
        self.fake = await FakeCallback(SECRET).__aenter__()
        self.fake.files["invoice"] = b"%PDF-1.7 invoice"

    async def close(self) -> None:
        await self.fake.__aexit__()

    def settings(self) -> dict[str, Any]:
        return {
            "callback_url": f"{self.fake.url}/hook",
            "signing_secret": SECRET,
            "allow_private_urls": True,
            "http": {"timeout": TIMEOUT},
        }

    async def fail_next(self, fault: str, *, calls: str) -> None:
        if fault == "down":
            await self.fake.go_down()
        else:
            self.fake.fail_next(fault, method="hook")

    async def recover(self) -> None:
        await self.fake.listen()

    def received(self) -> list[str]:
        assert all(call.genuine for call in self.fake.received)
        return [call.data["text"] for call in self.fake.sent]

    def received_files(self) -> list[bytes]:
        return [content for call in self.fake.sent for content in call.files]

    def received_quotes(self) -> list[str]:
        return [call.data["reply_to"] for call in self.fake.sent if call.data["reply_to"]]

    def fetchable(self) -> tuple[dict[str, Any], bytes] | None:
        return {"url": f"{self.fake.url}/files/invoice"}, self.fake.files["invoice"]

    def gone(self) -> list[dict[str, Any]]:
        urls = [f"{self.fake.url}/files/never", "file:///etc/passwd", "https://[::1", "", "http:///x"]
        return [{"url": url} for url in urls]

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        values: dict[str, Any] = {"chat": "order-4711", "recipient": "42"}
        return OutgoingMessage(key=key, text=text, **(values | changes))
