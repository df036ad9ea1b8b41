"""The API channel's own promises beyond the contract suite: payloads, signatures, guarded addresses."""

import json
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from channels.addresses import is_public
from channels.api import files
from channels.api.adapter import MAX_INLINE_BYTES, ApiAdapter
from channels.api.parse import to_raw
from channels.api.schema import MAX_INLINE_FILE, InboundPayload
from channels.api.settings import ApiSettings
from channels.api.signature import sign, verify
from channels.base import (
    Account,
    BadEvent,
    Gone,
    Http,
    InboundMessage,
    OutcomeUnknown,
    OutgoingMessage,
    Rejected,
    RetryLater,
    Unauthorized,
)
from tests.channels.contract.kit import file
from tests.fakes.callback import FakeCallback

SECRET = "a signing secret of the tests"


@pytest.fixture
async def service() -> AsyncIterator[FakeCallback]:
    async with FakeCallback(SECRET) as fake:
        yield fake
        for made in OPEN.pop(fake, []):
            await made.close()


OPEN: dict[FakeCallback, list[ApiAdapter]] = {}


def adapter(callback: FakeCallback | None = None, **settings: Any) -> ApiAdapter:
    values = {"callback_url": f"{callback.url}/hook" if callback else "", "signing_secret": SECRET}
    made = ApiAdapter(Account(UUID(int=7), "Bot", ApiSettings(**(values | settings)), "", "channel secret"))
    if callback:
        OPEN.setdefault(callback, []).append(made)
    return made


def message(**changes: Any) -> OutgoingMessage:
    values: dict[str, Any] = {"key": "41", "chat": "order-1", "recipient": "42", "text": "Привет"}
    return OutgoingMessage(**(values | changes))


def payload(**changes: Any) -> dict[str, Any]:
    return {"event_id": "e1", "sender": {"external_id": "42"}, "text": "Hello"} | changes


# --- inbound --------------------------------------------------------------------------------


def test_a_payload_becomes_a_raw_event_and_a_message() -> None:
    raw = to_raw(InboundPayload.model_validate(payload(text="до\x00после", link_token="tok")))
    assert (raw.key, raw.lane) == ("e1", "42")
    (event,) = adapter().parse(raw.payload)
    assert isinstance(event, InboundMessage)
    assert (event.chat, event.external_id, event.text, event.link_token) == ("42", "e1", "допосле", "tok")
    assert (event.sender.scope, event.sender.external_id) == ("", "42")


def test_files_inside_of_the_payload_come_out_again() -> None:
    data = payload(files=[{"name": "a.pdf", "mime": "application/pdf", "content_base64": "JVBERg=="}])
    raw = to_raw(InboundPayload.model_validate(data))
    (event,) = adapter().parse(raw.payload)
    assert isinstance(event, InboundMessage)
    assert event.files[0].size == 4
    assert adapter().extract(raw.payload, event.files[0].ref) == (b"%PDF", "application/pdf", "a.pdf")
    for ref in ({"part": 1}, {"part": -1}, {"part": "0"}, {}):
        with pytest.raises(Gone):
            adapter().extract(raw.payload, ref)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_id": ""}, {"event_id": "x" * 201}, {"text": "  "}, {"text": "x" * 100_001}, {"sender": {}},
        {"sender": {"external_id": ""}}, {"occurred_at": "2026-03-04T12:30:00"}, {"chat": 5}, {"extra": 1},
        {"files": [{"url": "ftp://x/y"}]}, {"files": [{"url": "https://x", "content_base64": "eA=="}]},
        {"files": [{"content_base64": "!"}]}, {"files": [{"content_base64": "A" * (MAX_INLINE_FILE * 2)}]},
        {"files": [{"url": "https://x"}] * 21},
        {"sender": {"external_id": "1", "avatar_url": "javascript:x"}},
    ],
)  # fmt: skip
def test_wrong_payloads_are_refused_at_the_door_and_in_the_store(wrong: dict[str, Any]) -> None:
    data = payload(**wrong)
    with pytest.raises(ValidationError):
        InboundPayload.model_validate(data)
    with pytest.raises(BadEvent):
        adapter().parse(json.dumps(data).encode())


def test_svg_is_no_picture() -> None:
    data = payload(files=[{"url": "https://x.test/a", "mime": "image/svg+xml"}])
    (event,) = adapter().parse(json.dumps(data).encode())
    assert isinstance(event, InboundMessage)
    assert event.files[0].kind == "document"


# --- outbound -------------------------------------------------------------------------------


async def test_without_a_callback_the_feed_is_the_way() -> None:
    sent = await adapter().send(message())
    assert (sent.external_ids, sent.chat) == (["41"], "order-1")
    assert (await adapter().check()).external_id


async def test_calls_are_signed_and_named(service: FakeCallback) -> None:
    service.reply = {"id": "their-7"}
    sent = await adapter(service).send(message(author="Анна", reply_to="m-0"))
    (call,) = service.sent
    assert call.genuine
    assert call.delivery == call.data["id"] == "41"
    assert (call.data["text"], call.data["author"], call.data["reply_to"]) == ("Привет", "Анна", "m-0")
    assert sent.external_ids == ["their-7"]


async def test_answers_are_signed_by_a_secret_that_the_receiver_knows(service: FakeCallback) -> None:
    with pytest.raises(Rejected, match="signing_secret"):
        await adapter(service, signing_secret="").check()
    assert not service.sent


def test_a_signature_covers_time_and_body() -> None:
    good = sign("s", timestamp="1", body=b"x")
    assert verify("s", timestamp="1", body=b"x", signature=good)
    for wrong in (("t", "1", b"x"), ("s", "2", b"x"), ("s", "1", b"y")):
        assert not verify(wrong[0], timestamp=wrong[1], body=wrong[2], signature=good)
    assert not verify("s", timestamp="1", body=b"x", signature="привет")


async def test_large_files_are_named_and_small_ones_sent(service: FakeCallback) -> None:
    small, large = b"x" * MAX_INLINE_BYTES, b"y" * (MAX_INLINE_BYTES + 1)
    await adapter(service).send(message(files=[file("document", small), file("document", large)]))
    call = service.sent[0]
    assert call.files == [small]
    assert call.data["files"][1] == {
        "name": "файл.bin", "mime": "application/pdf", "kind": "document",
        "size": len(large), "omitted": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, Rejected, "callback_rejected"), (401, Unauthorized, "callback_signature"),
        (403, Rejected, "callback_refused"), (404, Rejected, "callback_rejected"),
        (302, Rejected, "callback_rejected"), (429, RetryLater, "callback_busy"),
        (503, RetryLater, "callback_busy"), (500, RetryLater, "callback_busy"),
        (504, OutcomeUnknown, "gateway"),
    ],
)  # fmt: skip
async def test_answers_say_what_to_do_next(
    service: FakeCallback, status: int, error: type[Exception], code: str
) -> None:
    service.status = status
    with pytest.raises(error) as caught:
        await adapter(service).send(message())
    assert caught.value.code == code  # type: ignore[attr-defined]


async def test_check_pings(service: FakeCallback) -> None:
    await adapter(service).check()
    assert [call.data for call in service.received] == [{"type": "ping"}]
    service.status = 404
    with pytest.raises(Rejected):
        await adapter(service).check()


def test_settings_are_checked() -> None:
    for wrong in ({"callback_url": "ftp://x"}, {"callback_url": "file:///etc"}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            ApiSettings(**wrong)
    assert SECRET not in repr(adapter().settings)


# --- guarded addresses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
     "224.0.0.1", "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
async def test_private_addresses_are_not_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Gone, match="private"):
        await adapter().fetch({"url": f"http://{host}/x"}, limit=1000)
    assert not is_public(address)


def test_public_addresses_are() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2a00:1450:4010::1")


async def test_a_name_that_leads_inside_is_not_asked(service: FakeCallback) -> None:
    with pytest.raises(Gone, match="private"):
        await adapter().fetch({"url": f"http://localhost:{service.port}/files/a"}, limit=1000)


async def test_a_name_with_one_private_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, 1, 6, "", (host, 80)) for host in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(Gone, match="private"):
        await adapter().fetch({"url": "http://cdn.test/x"}, limit=1000)


async def test_the_judged_address_is_the_one_that_is_asked(
    service: FakeCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name answers differently the second time; it is not asked a second time."""
    service.files["a"] = b"content"
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(str(host))
        return real("127.0.0.1" if host == "cdn.test" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://cdn.test:{service.port}/files/a"
    data, mime = await adapter(allow_private_urls=True).fetch({"url": url}, limit=1000)
    assert (data, mime) == (b"content", "application/pdf")
    assert asked.count("cdn.test") == 1


async def test_redirects_are_not_followed(service: FakeCallback) -> None:
    service.redirects["a"] = f"{service.url}/files/b"
    service.files["b"] = b"inside"
    with pytest.raises(Gone, match="302"):
        await adapter(allow_private_urls=True).fetch({"url": f"{service.url}/files/a"}, limit=1000)


async def test_unreachable_hosts_are_for_later() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        with pytest.raises(RetryLater):
            await files.fetch(url, Http(timeout=5), limit=1000, allow_private=True)
