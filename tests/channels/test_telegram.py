"""What Telegram promises beyond the contract suite: offsets, conflicts, webhooks, albums, half-sent texts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from channels.base import (
    Account,
    Gone,
    InboundMessage,
    OutcomeUnknown,
    OutgoingMessage,
    Reachability,
    Rejected,
    RetryLater,
    Unauthorized,
    WebhookRequest,
)
from channels.telegram.adapter import TelegramAdapter, TelegramSettings
from tests.channels.contract.kit import file
from tests.fakes.telegram import FakeTelegram
from tests.helpers import eventually


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(retry_unit=0.01) as fake:
        fake.customer_writes(text="/start")
        yield fake


@pytest.fixture
async def adapter(fake: FakeTelegram) -> AsyncIterator[TelegramAdapter]:
    adapter = make(fake)
    yield adapter
    await adapter.close()


def make(fake: FakeTelegram, *, url: str = "http://127.0.0.1:9/x", **settings: Any) -> TelegramAdapter:
    given = {"token": fake.token, "http": {"base_url": fake.url, "timeout": 2}} | settings
    account = Account(UUID(int=1), "Бот", TelegramSettings.model_validate(given), url, "s3cret-abc")
    return TelegramAdapter(account)


def answer(text: str = "", *, key: str = "1", chat: str = "501", **changes: Any) -> OutgoingMessage:
    return OutgoingMessage(key=key, chat=chat, recipient=chat, text=text, **changes)


# --- pull -----------------------------------------------------------------------------------


async def test_an_offset_is_confirmed_by_the_next_pull_only(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    stream = adapter.pull({})
    batch = await anext(stream)
    assert [event.key for event in batch.events] == [str(update["update_id"]) for update in fake.queue]
    assert fake.queue, "nothing may be confirmed before the batch was stored"
    waiting = asyncio.ensure_future(anext(stream))
    await eventually(lambda: not fake.queue)
    fake.customer_writes(text="дальше")
    assert (await waiting).events
    await stream.aclose()  # type: ignore[attr-defined]


async def test_another_bots_offset_is_not_used(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    batch = await anext(adapter.pull({"bot": "999", "offset": 5_000_000}))
    assert len(batch.events) == 1
    asked = [values["offset"] for method, values in fake.calls if method == "getUpdates"]
    assert asked == ["0"]


async def test_a_lower_number_after_a_quiet_week_is_followed(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    batch = await anext(adapter.pull({"bot": fake.token.split(":")[0], "offset": 900_000}))
    assert batch.cursor["offset"] == 1002


async def test_pull_asks_for_what_it_understands_and_drops_nothing(fake: FakeTelegram) -> None:
    adapter = make(fake)
    await adapter.start()
    await anext(adapter.pull({}))
    await adapter.close()
    assert {"message", "edited_message", "my_chat_member"} <= (fake.allowed or set())
    dropping = [values.get("drop_pending_updates") for _, values in fake.calls]
    assert "true" not in dropping
    assert "True" not in dropping


async def test_the_first_of_two_pollers_is_told_of_the_conflict(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    _, cursor = (batch := await anext(adapter.pull({}))).events, batch.cursor
    first = asyncio.ensure_future(anext(adapter.pull(cursor)))
    await eventually(lambda: not fake.queue)
    other = make(fake)
    second = asyncio.ensure_future(anext(other.pull(cursor)))
    with pytest.raises(RetryLater) as error:
        await first
    assert error.value.code == "conflict"
    fake.customer_writes(text="второму")
    assert (await second).events
    await other.close()


async def test_a_poll_while_a_webhook_is_set_is_a_conflict(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    fake.webhook = {"url": "http://127.0.0.1:9/", "secret": ""}
    with pytest.raises(RetryLater) as error:
        await anext(adapter.pull({}))
    assert error.value.code == "conflict"
    await adapter.start()
    assert (await anext(adapter.pull({}))).events, "start removes the webhook and keeps what waits"


# --- webhook --------------------------------------------------------------------------------


class Receiver:
    """Our web process in small: answers as `WebhookReply` says, or as `refuse` orders."""

    def __init__(self) -> None:
        self.adapter: TelegramAdapter | None = None
        self.refuse: list[tuple[int, dict[str, str], str]] = []
        self.stored: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        assert self.adapter
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self.adapter.webhook(WebhookRequest(await request.read(), headers))
        texts = [message_text(self.adapter, event.payload) for event in reply.events]
        for number, (status, extra, text) in enumerate(self.refuse):
            if text in texts:
                del self.refuse[number]
                return web.Response(status=status, headers=extra)
        self.stored += texts
        return web.Response(status=reply.status, body=reply.body)


def message_text(adapter: TelegramAdapter, payload: bytes) -> str:
    [event] = adapter.parse(payload)
    assert isinstance(event, InboundMessage)
    return event.text


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield receiver, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def test_webhooks_keep_the_order_of_a_chat_through_refusals(
    fake: FakeTelegram, receiver: tuple[Receiver, str]
) -> None:
    """Ours answers 503 three times: that chat waits, in order; another passes."""
    server, url = receiver
    server.adapter = adapter = make(fake, url=url, transport="webhook")
    await adapter.start()
    await eventually(lambda: "/start" in server.stored)
    server.refuse = [(503, {"Retry-After": "2"}, "a1"), (500, {}, "a1"), (503, {}, "a1")]
    for text in ("a1", "a2", "a3"):
        fake.customer_writes(user_id=501, text=text)
    fake.customer_writes(user_id=777, text="b1")
    await eventually(lambda: len(server.stored) == 5)
    assert [text for text in server.stored if text.startswith("a")] == ["a1", "a2", "a3"]
    assert server.stored.index("b1") < server.stored.index("a1")
    assert fake.queue == []
    await adapter.close()


async def test_a_foreign_secret_stores_nothing(fake: FakeTelegram, receiver: tuple[Receiver, str]) -> None:
    server, url = receiver
    server.adapter = adapter = make(fake, url=url, transport="webhook")
    await adapter.start()
    await eventually(lambda: "/start" in server.stored)
    fake.webhook["secret"] = "other"
    fake.customer_writes(text="чужое")
    await eventually(lambda: 403 in [status for _, status in fake.webhook_log])
    fake.webhook["secret"] = "s3cret-abc"
    await eventually(lambda: "чужое" in server.stored)
    assert server.stored.count("чужое") == 1
    await adapter.close()


# --- send -----------------------------------------------------------------------------------


async def test_a_text_that_fits_is_the_caption_and_one_that_does_not_comes_before(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    await adapter.send(answer("короткая", files=[file("document", b"x", name="Счёт №5.pdf")]))
    assert [(sent.method, sent.text) for sent in fake.sent] == [("sendDocument", "короткая")]
    assert fake.sent[0].file
    assert fake.sent[0].file.name == "Счёт №5.pdf"
    fake.sent.clear()
    long = "😀" * 513  # 1026 UTF-16 units, 513 characters
    await adapter.send(answer(long, files=[file("document", b"x")]))
    assert [(sent.method, sent.text) for sent in fake.sent] == [("sendMessage", long), ("sendDocument", "")]


async def test_pictures_go_as_albums_of_ten(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    files = [file("image", f"p{number}".encode()) for number in range(12)] + [file("document", b"d")]
    sent = await adapter.send(answer("Все", files=files))
    assert len(sent.external_ids) == 13
    assert [message.method for message in fake.sent] == ["sendMediaGroup"] * 12 + ["sendDocument"]
    assert len({message.album for message in fake.sent if message.album}) == 2
    assert [message.text for message in fake.sent if message.text] == ["Все"]
    assert [message.file.content for message in fake.sent if message.file] == [
        *(f"p{number}".encode() for number in range(12)), b"d",
    ]  # fmt: skip


async def test_a_picture_that_telegram_cannot_show_goes_as_a_file(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    await adapter.send(answer("вот", files=[file("image", b"BAD image")]))
    assert [(sent.method, sent.text) for sent in fake.sent] == [("sendDocument", "вот")]


async def test_a_half_sent_message_is_unknown_and_says_how_far_it_came(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    fake.fail_next("flood", method="sendDocument")
    with pytest.raises(OutcomeUnknown) as error:
        await adapter.send(answer("длинно " * 200, files=[file("document", b"x")]))
    assert error.value.code == "partial"
    assert "1 of 2" in error.value.reason
    assert len(fake.sent) == 1


async def test_too_large_a_file_is_rejected_before_anything_is_sent(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    huge = file("document", b"x")
    object.__setattr__(huge, "size", 51 << 20)
    with pytest.raises(Rejected) as error:
        await adapter.send(answer("т" * 2000, files=[huge]))
    assert error.value.code == "too_large"
    assert fake.sent == []


async def test_a_migrated_group_is_followed_once(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    fake.customer_writes(chat_id=-55, text="в группе")
    fake.migrated[-55] = -10055
    sent = await adapter.send(answer("всем", chat="-55"))
    assert sent.chat == "-10055"
    assert [message.chat_id for message in fake.sent] == [-10055]


@pytest.mark.parametrize(
    ("fault", "options", "code", "unreachable"),
    [
        ("forbidden", {"text": "Forbidden: bot was blocked by the user"}, "blocked", True),
        ("forbidden", {"text": "Forbidden: user is deactivated"}, "deactivated", True),
        (
            "forbidden",
            {"text": "Forbidden: bot can't initiate conversation with a user"},
            "not_started",
            True,
        ),
        ("forbidden", {"text": "Forbidden: not enough rights to send text messages"}, "forbidden", False),
        ("bad_request", {"text": "Bad Request: chat not found"}, "chat_not_found", True),
        ("bad_request", {"text": "Bad Request: message is too long"}, "too_long", False),
    ],
)
async def test_refusals_have_codes(
    fake: FakeTelegram,
    adapter: TelegramAdapter,
    fault: str,
    options: dict[str, Any],
    code: str,
    unreachable: bool,
) -> None:
    fake.fail_next(fault, method="sendMessage", **options)
    with pytest.raises(Rejected) as error:
        await adapter.send(answer("x"))
    assert (error.value.code, error.value.unreachable) == (code, unreachable)


async def test_flood_control_says_how_long(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    fake.fail_next("flood", retry_after=33)
    with pytest.raises(RetryLater) as error:
        await adapter.send(answer("x"))
    assert (error.value.after, error.value.lane) == (timedelta(seconds=33), True)


async def test_a_business_chat_is_answered_through_its_connection(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    await adapter.send(answer("по-деловому", chat="501:bc77"))
    assert fake.sent[0].raw["business_connection_id"] == "bc77"


async def test_a_topic_is_answered_in_it(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    await adapter.send(answer("в теме", meta={"topic": 9}))
    assert fake.sent[0].raw["message_thread_id"] == "9"


# --- the rest -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "nonsense", "12:", ":x", "1 2:abc"])
async def test_a_malformed_token_is_unauthorized(fake: FakeTelegram, token: str) -> None:
    adapter = make(fake, token=token)
    with pytest.raises(Unauthorized):
        await adapter.check()
    with pytest.raises(Unauthorized):
        await anext(adapter.pull({}))
    await adapter.close()


async def test_check_tells_who_the_bot_is(adapter: TelegramAdapter) -> None:
    info = await adapter.check()
    assert (info.title, info.external_id) == ("@otklik_bot", "700001")
    link = adapter.link("tok", info.facts)
    assert link
    assert link.url == "https://t.me/otklik_bot?start=tok"
    assert adapter.link("has space", info.facts) is None
    assert adapter.link("x" * 65, info.facts) is None


async def test_blocking_and_unblocking_is_told(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    fake.queue.clear()
    fake.customer_blocks(501)
    fake.customer_blocks(501, blocked=False)
    batch = await anext(adapter.pull({}))
    events = [event for raw in batch.events for event in adapter.parse(raw.payload)]
    assert [event.reachable for event in events if isinstance(event, Reachability)] == [False, True]


async def test_a_face_is_found_and_fetched(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    fake.customer_writes(user_id=502, name="Олег Ким", username="oleg", text="я")
    fake.avatars[502] = fake.add_file(b"jpeg bytes", name="a.jpg")
    person = await adapter.profile("502")
    assert person
    assert (person.name, person.username) == ("Олег Ким", "oleg")
    assert person.avatar
    assert await adapter.fetch(person.avatar, limit=100) == (b"jpeg bytes", "image/jpeg")
    assert await adapter.profile("999") is None


async def test_a_file_that_disappeared_is_gone(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    ref = {"file_id": fake.add_file(b"x")}
    fake.files[ref["file_id"]] = ("moved/../away", b"x")
    with pytest.raises(Gone):
        await adapter.fetch(ref, limit=10)


@pytest.mark.parametrize(
    ("kind", "wanted"), [("photo", "image"), ("voice", "voice"), ("video", "video"), ("document", "document")]
)
async def test_files_of_customers_can_be_fetched(
    fake: FakeTelegram, adapter: TelegramAdapter, kind: str, wanted: str
) -> None:
    fake.queue.clear()
    fake.customer_sends_file(kind, b"content", caption="подпись")
    batch = await anext(adapter.pull({}))
    [event] = adapter.parse(batch.events[0].payload)
    assert isinstance(event, InboundMessage)
    assert (event.text, event.files[0].kind) == ("подпись", wanted)
    data, _ = await adapter.fetch(event.files[0].ref, limit=100)
    assert data == b"content"
