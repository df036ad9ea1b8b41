"""What every adapter does with what comes in: parse purely, lose nothing, take nothing twice."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import pytest

from channels.base import (
    Adapter,
    BadEvent,
    Batch,
    Event,
    Ignored,
    InboundMessage,
    RawEvent,
    RetryLater,
    Unauthorized,
)
from tests.channels.contract.kit import TIMEOUT, Kit, golden, spoilt

LONG = TIMEOUT * 5 + 3


async def collect(
    adapter: Adapter, count: int, cursor: dict[str, Any] | None = None
) -> tuple[list[RawEvent], dict[str, Any]]:
    """Pull until `count` events came and one more batch confirmed them; they and the newest cursor."""
    found: list[RawEvent] = []
    stream = adapter.pull(cursor or {})
    newest: dict[str, Any] = cursor or {}
    async with asyncio.timeout(LONG):
        while len(found) < count:
            batch = await anext(stream)
            found += batch.events
            newest = batch.cursor
    await stream.aclose()  # type: ignore[attr-defined]
    return found, newest


async def first_batch(adapter: Adapter, cursor: dict[str, Any]) -> Batch:
    """The first batch with events."""
    stream = adapter.pull(cursor)
    try:
        async with asyncio.timeout(LONG):
            while True:
                batch = await anext(stream)
                if batch.events:
                    return batch
    finally:
        await stream.aclose()  # type: ignore[attr-defined]


def messages(adapter: Adapter, events: list[RawEvent]) -> list[InboundMessage]:
    parsed = [event for raw in events for event in adapter.parse(raw.payload)]
    return [event for event in parsed if isinstance(event, InboundMessage)]


async def start_after_now(adapter: Adapter) -> dict[str, Any]:
    """The cursor of an adapter that has already pulled what there was when the platform started."""
    stream = adapter.pull({})
    async with asyncio.timeout(LONG):
        batch = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    return batch.cursor


def plain(event: Event) -> dict[str, Any]:
    """An event as JSON would show it, without what is nothing."""
    return json.loads(json.dumps({"event": type(event).__name__} | _said(event), default=str))


def _said(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        named = ((field.name, _said(getattr(value, field.name))) for field in fields(value))
        return {name: said for name, said in named if said not in (None, "", [], {}, False)}
    return [_said(one) for one in value] if isinstance(value, list) else value


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return strings(asdict(value))
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    return [text for part in value for text in strings(part)] if isinstance(value, list | tuple) else []


# --- parse ----------------------------------------------------------------------------------


async def test_recorded_events_mean_what_they_meant(kit: Kit) -> None:
    """Golden files; `UPDATE_GOLDEN=1` writes the expectations anew, for a reader to check."""
    assert golden(kit.kind), "a channel needs recorded payloads"
    async with kit.adapter() as adapter:
        for path in golden(kit.kind):
            found = [plain(event) for event in adapter.parse(path.read_bytes())]
            expected = path.with_suffix(path.suffix + ".expected")
            if os.environ.get("UPDATE_GOLDEN"):
                expected.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            assert found == json.loads(expected.read_text(encoding="utf-8")), path.name


async def test_parse_is_pure(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("parse went to the network")

    async with kit.adapter() as adapter:
        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        for path in golden(kit.kind):
            payload = path.read_bytes()
            assert adapter.parse(payload) == adapter.parse(payload), path.name


async def test_poison_is_refused_with_a_reason(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        for payload in kit.poison:
            with pytest.raises(BadEvent) as error:
                adapter.parse(payload)
            assert str(error.value)


async def test_strange_events_raise_nothing_but_bad_event(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        for payload in kit.strange:
            assert not messages_or_bad(adapter, payload)


async def test_a_persons_message_of_an_unknown_kind_is_kept(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        for payload in kit.strange_personal:
            [message] = adapter.parse(payload)
            assert isinstance(message, InboundMessage)
            assert message.unsupported


def messages_or_bad(adapter: Adapter, payload: bytes) -> list[InboundMessage]:
    try:
        return [event for event in adapter.parse(payload) if isinstance(event, InboundMessage)]
    except BadEvent:
        return []


async def test_spoilt_events_are_understood_or_refused(kit: Kit) -> None:
    """Every field of every golden payload gone or wrong; and the result can always be stored."""
    async with kit.adapter() as adapter:
        for path in golden(kit.kind):
            for payload in variants(kit, path.read_bytes()):
                try:
                    events = adapter.parse(payload)
                except BadEvent as error:
                    events = [Ignored(str(error))]
                unfit = [ascii(text) for text in strings(events) if "\x00" in text or not encodable(text)]
                assert not unfit, ascii(payload)


def encodable(text: str) -> bool:
    return text == text.encode("utf-8", "replace").decode()


def variants(kit: Kit, payload: bytes) -> list[bytes]:
    step = max(1, len(payload) // 40)
    cut = [payload[:end] for end in range(0, len(payload), step)]
    noisy = [payload[:at] + b"\xff\x00\xc3" + payload[at + 3 :] for at in range(0, len(payload), step)]
    return [*cut, *noisy, *(spoilt(payload) if kit.encoded else ())]


# --- webhook --------------------------------------------------------------------------------


@pytest.mark.needs("webhook")
async def test_a_webhook_call_is_stored_and_acknowledged(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        first, again = (adapter.webhook(kit.webhook_request("Здравствуйте 👋", 1)) for _ in range(2))
        other = adapter.webhook(kit.webhook_request("Ещё", 2))
        assert 200 <= first.status < 300
        assert [event.key for event in first.events] == [event.key for event in again.events]
        assert first.events[0].key != other.events[0].key
        assert first.events[0].lane == other.events[0].lane != ""
        [message] = messages(adapter, first.events)
        assert message.text == "Здравствуйте 👋"


@pytest.mark.needs("webhook")
async def test_a_webhook_call_without_the_secret_is_refused(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        for request in kit.wrong_secret(kit.webhook_request("чужой")):
            reply = adapter.webhook(request)
            assert (reply.status, reply.events) == (403, [])


@pytest.mark.needs("webhook")
async def test_a_malformed_webhook_call_is_refused(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        for request in kit.malformed():
            reply = adapter.webhook(request)
            assert reply.events == []
            assert reply.status in (400, 403), request.body


# --- pull -----------------------------------------------------------------------------------


@pytest.mark.needs("poll")
async def test_pull_brings_everything_once_and_in_order(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        cursor = await start_after_now(adapter)
        for number in range(5):
            await kit.customer_writes(f"номер {number}")
        events, cursor = await collect(adapter, 5, cursor)
        assert [message.text for message in messages(adapter, events)] == [f"номер {n}" for n in range(5)]
        assert len({event.key for event in events}) == 5
        assert len({event.lane for event in events}) == 1
        await kit.customer_writes("после")
        later, _ = await collect(adapter, 1, cursor)
        assert [message.text for message in messages(adapter, later)] == ["после"]


@pytest.mark.needs("poll")
async def test_a_crash_before_storing_loses_nothing(kit: Kit) -> None:
    """A batch that was handed out but never stored comes again to the next process, under the same keys."""
    async with kit.adapter() as adapter:
        cursor = await start_after_now(adapter)
        await kit.customer_writes("не потеряйте меня")
        lost = await first_batch(adapter, cursor)
    async with kit.adapter() as adapter:
        again = await first_batch(adapter, cursor)
        assert [event.key for event in again.events] == [event.key for event in lost.events]


@pytest.mark.needs("poll")
async def test_a_restart_resumes_after_the_cursor(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        cursor = await start_after_now(adapter)
        await kit.customer_writes("первое")
        batch = await first_batch(adapter, cursor)
    await kit.customer_writes("второе")
    async with kit.adapter() as adapter:
        resumed = await first_batch(adapter, json.loads(json.dumps(batch.cursor)))
        assert [message.text for message in messages(adapter, resumed.events)] == ["второе"]


@pytest.mark.needs("poll")
async def test_two_pollers_lose_nothing(kit: Kit) -> None:
    """The core fences pollers; should it happen all the same, one may be turned away but nothing is lost."""
    async with kit.adapter() as one, kit.adapter() as two:
        cursor = await start_after_now(one)
        found: set[str] = set()

        async def run(adapter: Adapter) -> None:
            async for batch in patient(adapter, cursor):
                found.update(message.text for message in messages(adapter, batch.events))
                if "оба слышат" in found:
                    return

        pollers = [asyncio.create_task(run(adapter)) for adapter in (one, two)]
        await asyncio.sleep(0.05)
        await kit.customer_writes("оба слышат")
        done, waiting = await asyncio.wait(pollers, timeout=LONG, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert done
        for task in done:
            task.result()
        assert "оба слышат" in found


async def patient(adapter: Adapter, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
    """Pull as the core does: whoever is told to retry later begins again."""
    while True:
        try:
            async for batch in adapter.pull(cursor):
                yield batch
            return
        except RetryLater:
            await asyncio.sleep(0.01)


@pytest.mark.needs("poll")
@pytest.mark.faults("call_faults")
async def test_a_disturbed_pull_says_retry_and_recovers(kit: Kit, fault: str) -> None:
    async with kit.adapter() as adapter:
        cursor = await start_after_now(adapter)
        await kit.fail_next(fault, calls="pull")
        await kit.customer_writes("после помехи")
        with pytest.raises(RetryLater):
            await first_batch(adapter, cursor)
        await kit.recover()
        batch = await first_batch(adapter, cursor)
        assert [message.text for message in messages(adapter, batch.events)] == ["после помехи"]


@pytest.mark.needs("poll", "refusals")
async def test_a_revoked_pull_stops_the_channel(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        await kit.fail_next("revoked", calls="pull")
        with pytest.raises(Unauthorized):
            await first_batch(adapter, {})


async def test_pull_ends_where_the_transport_is_not_poll(kit: Kit) -> None:
    changes = {"transport": "webhook"} if kit.poll and kit.webhook else {}
    if kit.poll and not changes:
        return
    async with kit.adapter(**changes) as adapter, asyncio.timeout(LONG):
        assert [batch async for batch in adapter.pull({})] == []
