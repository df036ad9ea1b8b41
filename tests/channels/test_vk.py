"""VK's own promises, beyond the contract suite: gaps of the long poll, callbacks, echoes, uploads, hosts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from channels.base import (
    Account,
    BadEvent,
    Batch,
    DeliveryError,
    Echo,
    Gone,
    InboundMessage,
    Linked,
    OutgoingMessage,
    RawEvent,
    Receipt,
    Rejected,
    RetryLater,
    Typing,
    Unauthorized,
    WebhookRequest,
)
from channels.vk.adapter import VkAdapter, VkSettings
from channels.vk.errors import of_code
from channels.vk.pull import raw_event
from channels.vk.send import random_id
from tests.channels.contract.kit import file
from tests.fakes.vk import GROUP, FakeVk
from tests.helpers import eventually


@pytest.fixture
async def fake() -> AsyncIterator[FakeVk]:
    async with FakeVk(retry_unit=0.01) as fake:
        fake.customer_writes(text="Начать")
        yield fake


@pytest.fixture
async def adapter(fake: FakeVk) -> AsyncIterator[VkAdapter]:
    adapter = make(fake)
    yield adapter
    await adapter.close()


def make(fake: FakeVk, *, url: str = "http://127.0.0.1:9/x", **settings: Any) -> VkAdapter:
    given = {"token": fake.token, "http": {"base_url": fake.url, "timeout": 2}} | settings
    return VkAdapter(Account(UUID(int=1), "Сообщество", VkSettings.model_validate(given), url, "s3cret-abc"))


def answer(text: str = "", *, key: str = "1", chat: str = "601", **changes: Any) -> OutgoingMessage:
    return OutgoingMessage(key=key, chat=chat, recipient=chat, text=text, **changes)


async def batches(adapter: VkAdapter, cursor: dict[str, Any], *, until: str) -> list[Batch]:
    """Batches until one holds a message with the text `until`, and the one after it."""
    found: list[Batch] = []
    async with asyncio.timeout(10):
        async for batch in adapter.pull(cursor):
            found.append(batch)
            if until in texts(adapter, batch.events):
                return found
    raise AssertionError("the stream ended")


def texts(adapter: VkAdapter, events: list[RawEvent]) -> list[str]:
    parsed = [event for raw in events for event in adapter.parse(raw.payload)]
    return [event.text for event in parsed if isinstance(event, InboundMessage)]


async def now(adapter: VkAdapter) -> dict[str, Any]:
    stream = adapter.pull({})
    batch = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    return batch.cursor


# --- long poll ------------------------------------------------------------------------------


async def test_an_expired_key_is_renewed_and_the_place_kept(fake: FakeVk, adapter: VkAdapter) -> None:
    stream = adapter.pull({})
    await anext(stream)
    fake.expire_key()
    fake.customer_writes(text="раз")
    async with asyncio.timeout(10):
        while not (batch := await anext(stream)).events:
            pass
    assert texts(adapter, batch.events) == ["раз"]
    assert not keys(batch)[0].startswith("history")
    await stream.aclose()  # type: ignore[attr-defined]


def keys(batch: Batch) -> list[str]:
    return [event.key for event in batch.events]


async def test_what_is_written_before_the_first_pull_is_read(fake: FakeVk, adapter: VkAdapter) -> None:
    """A newcomer connects the community and tries it at once."""
    fake.customer_writes(text="сразу", silent=True)
    since = {"since": fake.messages[601][-1]["date"]}
    [first] = [batch for batch in await batches(adapter, since, until="сразу") if batch.events]
    assert texts(adapter, first.events)[-1] == "сразу"
    assert first.cursor == since, "a crash before all is read begins again"
    fake.customer_writes(text="после")
    found = [batch for batch in await batches(adapter, since, until="после") if batch.events]
    assert texts(adapter, found[-1].events)[-1] == "после"


@pytest.mark.parametrize("code", [1, 3])
async def test_a_gap_is_filled_from_the_history(fake: FakeVk, adapter: VkAdapter, code: int) -> None:
    """Messages whose events VK lost, of several people and a chat, come once each and in order."""
    cursor = await now(adapter)
    for number in range(3):
        fake.customer_writes(text=f"потеряно {number}", silent=True)
    fake.customer_writes(user_id=602, text="и другим", silent=True)
    fake.customer_writes(user_id=602, peer_id=2_000_000_001, text="в беседе", silent=True)
    if code == 1:
        fake.lose_history()
    else:
        fake.fail_next("failed", method="a_check", code=3)
    found: list[RawEvent] = []
    newest = cursor
    async with asyncio.timeout(10):
        async for batch in adapter.pull(cursor):
            found += batch.events
            newest = batch.cursor
            if batch.cursor["ts"] != cursor["ts"] or len(found) >= 6:
                break
    seen = texts(adapter, found)
    assert [text for text in seen if text.startswith("потеряно")] == [f"потеряно {n}" for n in range(3)]
    assert seen.count("и другим") == seen.count("в беседе") == 1
    assert len({event.key for event in found}) == len(found)
    fake.customer_writes(text="после")
    [last] = [batch for batch in await batches(adapter, newest, until="после") if batch.events][-1:]
    assert texts(adapter, last.events)[-1] == "после"


async def test_a_gap_is_met_again_when_its_filling_was_not_stored(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    fake.customer_writes(text="потеряно", silent=True)
    fake.lose_history()
    first = [batch for batch in await batches(adapter, cursor, until="потеряно") if batch.events]
    assert first[-1].cursor == cursor, "the cursor may move only when the whole gap is filled"
    again = [batch for batch in await batches(adapter, cursor, until="потеряно") if batch.events]
    assert keys(again[-1]) == keys(first[-1])


async def test_our_own_messages_in_a_gap_come_as_echoes(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    await adapter.send(answer("наш ответ", key="77"))
    fake.customer_writes(text="потеряно", silent=True)
    fake.lose_history()
    found = [raw for batch in await batches(adapter, cursor, until="потеряно") for raw in batch.events]
    echoes = [event for raw in found for event in adapter.parse(raw.payload) if isinstance(event, Echo)]
    assert [(echo.text, echo.key, echo.external_id) for echo in echoes] == [("наш ответ", "77", "2")]


@pytest.mark.parametrize("code", [4, 99])
async def test_an_unknown_failure_backs_off(fake: FakeVk, adapter: VkAdapter, code: int) -> None:
    cursor = await now(adapter)
    fake.fail_next("failed", method="a_check", code=code)
    with pytest.raises(RetryLater) as error:
        await batches(adapter, cursor, until="никогда")
    assert error.value.after
    assert error.value.after.total_seconds() >= 10


async def test_a_repeated_event_has_the_same_key(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    fake.customer_writes(text="раз")
    fake.repeat(fake.events[-1])
    fake.customer_writes(text="два")
    found = [key for batch in await batches(adapter, cursor, until="два") for key in keys(batch)]
    assert found[0] == found[1] != found[2]


async def test_start_asks_for_the_version_that_is_understood(fake: FakeVk, adapter: VkAdapter) -> None:
    await adapter.start()
    assert fake.long_poll["api_version"] == "5.199"
    assert (
        fake.long_poll["enabled"] == fake.long_poll["message_new"] == fake.long_poll["message_reply"] == "1"
    )


async def test_events_of_old_versions_are_refused(adapter: VkAdapter) -> None:
    old = {"type": "message_new", "group_id": GROUP, "object": {"id": 1, "peer_id": 601, "text": "x"}}
    with pytest.raises(BadEvent, match=r"5\.103"):
        adapter.parse(json.dumps(old).encode())


# --- Callback API ---------------------------------------------------------------------------


class Receiver:
    def __init__(self) -> None:
        self.adapter: VkAdapter | None = None
        self.refuse = 0
        self.stored: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        assert self.adapter
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self.adapter.webhook(WebhookRequest(await request.read(), headers))
        if reply.events and self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.stored += [event.key for event in reply.events]
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)


async def test_callbacks_are_confirmed_retried_and_told_apart(fake: FakeVk) -> None:
    server = Receiver()
    app = web.Application()
    app.router.add_post("/hook", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    unconfirmed = make(fake, transport="webhook")
    checked = await unconfirmed.check()
    await unconfirmed.close()
    facts = {name: checked.facts[name] for name in ("group_id", "confirmation")}
    assert facts == {"group_id": GROUP, "confirmation": fake.confirmation}
    server.adapter = adapter = make(fake, url=url, transport="webhook", **facts)
    await adapter.start()
    server.refuse = 2
    fake.customer_writes(text="раз")
    fake.repeat(fake.events[-1])
    await eventually(lambda: len(server.stored) == 2)
    assert server.stored[0] == server.stored[1], "the retry and the repeat are the same event"
    assert [attempt for _, attempt, _ in fake.callback_log] == [0, 1, 2, 0]
    await adapter.start()
    assert len(fake.callbacks) == 1, "starting again makes no second server"
    polling = make(fake, url=url)
    await polling.start()
    assert fake.callbacks == {}
    await polling.close()
    await adapter.close()
    await runner.cleanup()


def test_the_secret_is_not_kept_with_the_event(fake: FakeVk) -> None:
    adapter = make(fake, group_id=GROUP)
    call = {"type": "message_allow", "object": {"user_id": 1}, "group_id": GROUP, "event_id": "e"}
    reply = adapter.webhook(WebhookRequest(json.dumps(call | {"secret": "s3cret-abc"}).encode(), {}))
    assert reply.body == b"ok"
    assert b"s3cret" not in reply.events[0].payload


# --- sending --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["1", "2147483647", "2147483648", "9223372036854775807", "x"])
def test_random_id_is_a_stable_positive_int32(key: str) -> None:
    numbers = {random_id(key, part) for part in range(4)}
    assert len(numbers) == 4
    assert all(0 < number < 2**31 for number in numbers)
    assert numbers == {random_id(key, part) for part in range(4)}


async def test_a_long_message_that_broke_off_is_completed_without_doubles(
    fake: FakeVk, adapter: VkAdapter
) -> None:
    message = answer("а" * 9000, key="55")
    fake.fail_next("lost_reply", method="messages.send")
    with pytest.raises(DeliveryError):
        await adapter.send(message)
    sent = await adapter.send(message)
    assert len(sent.external_ids) == len(fake.sent) == 3
    assert "".join(part.text for part in fake.sent) == message.text


async def test_an_echo_brings_the_key_back(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    sent = await adapter.send(answer("ответ", key="9000000000000000001"))
    fake.admin_writes(text="из интерфейса VK")
    fake.customer_writes(text="конец")
    found = [raw for batch in await batches(adapter, cursor, until="конец") for raw in batch.events]
    echoes = [event for raw in found for event in adapter.parse(raw.payload) if isinstance(event, Echo)]
    assert [(echo.key, echo.text) for echo in echoes] == [
        ("9000000000000000001", "ответ"), ("", "из интерфейса VK"),
    ]  # fmt: skip
    assert echoes[0].external_id == sent.external_ids[0]
    assert echoes[0].recipient
    assert echoes[0].recipient.external_id == "601"


async def test_uploads_keep_names_and_go_where_they_belong(fake: FakeVk, adapter: VkAdapter) -> None:
    files = [
        file("image", b"png", name="кот.png"), file("voice", b"ogg", name="v.ogg"),
        file("document", b"pdf", name="Счёт №5.pdf"),
    ]  # fmt: skip
    await adapter.send(answer("вот", files=files))
    [sent] = fake.sent
    assert [upload.content for upload in sent.files] == [b"png", b"ogg", b"pdf"]
    assert sent.files[2].name == "Счёт №5.pdf"
    methods = [method for method, _ in fake.calls]
    assert "photos.saveMessagesPhoto" in methods
    asked = [values for method, values in fake.calls if method == "docs.getMessagesUploadServer"]
    assert [values.get("type") for values in asked] == ["audio_message", None]


@pytest.mark.parametrize("fault", ["cut", "html502", "black_hole", "500", "flood", "revoked", "bad_request"])
@pytest.mark.parametrize("method", ["docs.getMessagesUploadServer", "upload", "docs.save"])
async def test_a_failed_upload_sends_nothing_and_blocks_nobody(fake: FakeVk, fault: str, method: str) -> None:
    if method == "upload" and fault not in ("cut", "html502", "black_hole"):
        return
    adapter = make(fake, http={"base_url": fake.url, "timeout": 1.5})
    fake.fail_next(fault, method=method)
    sending = asyncio.ensure_future(adapter.send(answer("файл", files=[file("document", b"x")])))
    await asyncio.sleep(0)
    await adapter.typing("601")  # the loop is free, and so is the rest of the adapter
    with pytest.raises(DeliveryError) as error:
        await sending
    wanted = {"revoked": Unauthorized, "bad_request": Rejected}.get(fault, RetryLater)
    assert type(error.value) is wanted
    assert fake.token not in f"{error.value!r} {error.value.reason} {error.value.__cause__}"
    assert fake.sent == []
    await adapter.close()


async def test_a_busy_upload_is_not_repeated_in_its_thread(fake: FakeVk, adapter: VkAdapter) -> None:
    """The library would sleep and call again for as long as VK says "too many requests"."""
    fake.fail_next("busy", method="docs.getMessagesUploadServer", times=3, code=6)
    with pytest.raises(RetryLater) as error:
        await adapter.send(answer("файл", files=[file("document", b"x")]))
    assert error.value.lane
    assert [method for method, _ in fake.calls].count("docs.getMessagesUploadServer") == 1


_MEANINGS: list[tuple[type[DeliveryError], str, tuple[int, ...]]] = [
    (RetryLater, "flood", (6, 9, 29)),
    (RetryLater, "server", (1, 10, 13, 36, 43)),
    (Unauthorized, "unauthorized", (2, 5, 27, 28, 1117, 3609)),
    (Unauthorized, "captcha", (14, 17, 24, 25, 3300, 3301, 3302)),
    (Rejected, "permission", (7, 15, 203, 912)),
    (Rejected, "bad_request", (100, 911)),
    (Rejected, "too_long", (910, 914)),
    (Rejected, "window", (943, 944, 950)),
    (Rejected, "too_old", (909, 920, 924)),
    (Rejected, "blocked", (900,)),
    (Rejected, "not_allowed", (901,)),
    (Rejected, "privacy", (902,)),
    (Rejected, "deactivated", (18, 37, 113, 3610)),
    (Rejected, "chat_gone", (917, 922, 925, 927, 932, 935, 936, 945, 946)),
    (Rejected, "vk_12345", (12345,)),
]
_PERSON_GONE = ("blocked", "not_allowed", "privacy", "deactivated", "chat_gone")


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [(code, kind, word) for kind, word, codes in _MEANINGS for code in codes],
)
def test_error_codes_say_what_to_do(code: int, kind: type[DeliveryError], word: str) -> None:
    error = of_code(code, "why")
    assert type(error) is kind
    assert error.code == word
    if isinstance(error, Rejected):
        assert error.unreachable == (word in _PERSON_GONE)
    if isinstance(error, RetryLater):
        assert error.lane == (word == "flood")


@pytest.mark.parametrize("code", [code for _, _, codes in _MEANINGS for code in codes])
async def test_an_error_code_is_told_and_nothing_sent(fake: FakeVk, adapter: VkAdapter, code: int) -> None:
    """At the top of an answer, and of each message within one."""
    fake.fail_next("ordered", method="messages.send", code=code)
    with pytest.raises(DeliveryError) as error:
        await adapter.send(answer("текст"))
    assert (type(error.value), error.value.code) == (type(of_code(code, "")), of_code(code, "").code)
    assert fake.sent == []


# --- the rest -------------------------------------------------------------------------------


async def test_news_about_people(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    sent = await adapter.send(answer("прочтите"))
    fake.customer_types()
    fake.customer_reads()
    fake.customer_allows(603, key="T0ken")
    fake.customer_writes(text="конец", ref="Другой")
    found = [raw for batch in await batches(adapter, cursor, until="конец") for raw in batch.events]
    events = [event for raw in found for event in adapter.parse(raw.payload)]
    assert [event.chat for event in events if isinstance(event, Typing)] == ["601"]
    assert [event.up_to for event in events if isinstance(event, Receipt)] == sent.external_ids
    assert [event.token for event in events if isinstance(event, Linked)] == ["T0ken"]
    assert [event.link_token for event in events if isinstance(event, InboundMessage)] == ["Другой"]


async def test_names_and_faces_are_asked_for(fake: FakeVk, adapter: VkAdapter) -> None:
    fake.host_file(b"jpeg", name="avatar601.jpg", mime="image/jpeg")
    person = await adapter.profile("601")
    assert person
    assert (person.name, person.username) == ("Пётр Иванов", "id601")
    assert person.avatar
    assert await adapter.fetch(person.avatar, limit=10) == (b"jpeg", "image/jpeg")
    assert await adapter.profile("404404") is None
    assert await adapter.profile("-5") is None


async def test_redirects_are_followed_only_to_vk(fake: FakeVk) -> None:
    """A VK page that leads into our network must not be followed there."""
    app = web.Application()

    async def lead(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    app.router.add_get("/go", lead)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    adapter = make(fake, http={"base_url": base, "timeout": 2})
    inside = fake.host_file(b"internal", name="x")
    for target in (inside, "http://169.254.169.254/latest", "file:///etc/passwd", f"{base}/go?to=/go"):
        with pytest.raises((Gone, RetryLater)) as error:
            await adapter.fetch({"url": f"{base}/go?to={target}"}, limit=100)
        assert "internal" not in str(error.value)
    await adapter.close()
    await runner.cleanup()


async def test_a_host_of_vk_that_lies_inside_the_network_is_refused(
    fake: FakeVk, adapter: VkAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def inside(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("10.0.0.5", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside)
    with pytest.raises(Gone, match="inside"):
        await adapter.fetch({"url": "https://sun9-1.userapi.com/x.jpg"}, limit=100)


async def test_the_deep_link_leads_to_the_community(adapter: VkAdapter) -> None:
    link = adapter.link("T0ken", (await adapter.check()).facts)
    assert link
    assert link.url == f"https://vk.me/club{GROUP}?ref=T0ken"


async def test_a_foreign_community_is_refused(fake: FakeVk) -> None:
    adapter = make(fake, group_id=5)
    with pytest.raises(Rejected):
        await adapter.check()
    await adapter.close()


def test_what_orjson_cannot_write_is_stored_all_the_same() -> None:
    for text in ("\ud800", 2**70):
        event = raw_event({"event_id": "e", "object": {"peer_id": 7, "text": text}})
        assert json.loads(event.payload)["object"]["text"] == text
        assert event.lane == "7"
