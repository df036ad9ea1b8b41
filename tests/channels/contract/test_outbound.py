"""What every adapter does with what goes out: send it once, and say truly what became of it."""

import asyncio
import logging
import time
import traceback
from datetime import timedelta

import pytest

from channels.acts import Acknowledge, Act, Delete, Edit, MarkRead, React
from channels.base import (
    DeliveryError,
    Gone,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Unauthorized,
    secret_fields,
)
from channels.registry import load
from channels.text import units
from tests.channels.contract.kit import TIMEOUT, Kit, file, golden

SOON = TIMEOUT * 3 + 2


async def failure(kit: Kit, fault: str, key: str = "41") -> DeliveryError:
    """The error of a send that suffers `fault`, which has to come soon."""
    async with kit.adapter() as adapter:
        await kit.fail_next(fault, calls="send")
        began = time.monotonic()
        with pytest.raises(DeliveryError) as caught:
            await adapter.send(kit.message("Помеха", key=key))
        assert time.monotonic() - began < SOON
        return caught.value


def arrived(kit: Kit) -> list[str]:
    """Texts that came; platforms may end them with a line break."""
    return [text.strip() for text in kit.received()]


# --- success --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["Здравствуйте!", "👩‍👩‍👧 привет 🇷🇺", "שלום \u202eabc", "<b>не тег</b> & *не* _разметка_", "две\nстроки"],
)
async def test_a_text_arrives_as_it_was_written(kit: Kit, text: str) -> None:
    async with kit.adapter() as adapter:
        sent = await adapter.send(kit.message(text))
        assert sent.external_ids
        assert len(set(sent.external_ids)) == len(sent.external_ids)
        assert arrived(kit) == [text]


async def test_what_platforms_refuse_in_a_text_is_left_out(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        await adapter.send(kit.message("до\x00после"))
        assert kit.received()[-1].strip() == "допосле"


async def test_a_long_text_is_split_where_nothing_breaks(kit: Kit) -> None:
    limit = load(kit.kind).capabilities.max_text
    if limit > 10_000:
        limit = 10_000
    text = "😀" * (limit // 2 + 7) + " " + "слово " * (limit // 5)
    async with kit.adapter() as adapter:
        await adapter.send(kit.message(text))
        received = kit.received()
        assert "".join("".join(received).split()) == "".join(text.split())
        assert all(units(part) <= load(kit.kind).capabilities.max_text for part in received)


async def test_an_empty_message_is_rejected(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        with pytest.raises(Rejected):
            await adapter.send(kit.message("  "))
        assert kit.received() == []


async def test_every_declared_kind_of_file_arrives(kit: Kit) -> None:
    kinds = sorted(load(kit.kind).capabilities.attachments)
    async with kit.adapter() as adapter:
        for number, kind in enumerate(kinds):
            content = f"{kind} содержимое".encode()
            await adapter.send(kit.message("Вот файл", key=str(50 + number), files=[file(kind, content)]))
            assert kit.received_files()[-1] == content, kind
        assert len(kit.received_files()) == len(kinds)


async def test_what_is_not_declared_goes_as_a_document(kit: Kit) -> None:
    declared = load(kit.kind).capabilities.attachments
    if "document" not in declared:
        return
    async with kit.adapter() as adapter:
        for number, kind in enumerate(sorted({"image", "video", "audio", "voice", "sticker"} - declared)):
            await adapter.send(kit.message(key=str(80 + number), files=[file(kind, kind.encode())]))
            assert kit.received_files()[-1] == kind.encode()


async def test_text_and_several_files_are_one_message_of_ours(kit: Kit) -> None:
    capabilities = load(kit.kind).capabilities
    if capabilities.max_attachments < 3:
        return
    contents = [b"one", b"two", b"three"]
    async with kit.adapter() as adapter:
        files = [file("image", data, name=f"{data.decode()}.png") for data in contents]
        sent = await adapter.send(kit.message("Три картинки", files=files))
        assert sent.external_ids
        assert kit.received_files() == contents
        assert "".join(kit.received()).strip() == "Три картинки"


async def test_a_quote_is_sent_where_it_is_declared(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        first = await adapter.send(kit.message("Первое"))
        await adapter.send(kit.message("Ответ", key="42", reply_to=first.external_ids[0]))
        declared = load(kit.kind).capabilities.reply
        assert kit.received_quotes() == ([first.external_ids[0]] if declared else [])


async def test_typing_is_shown_where_it_is_declared(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        await adapter.typing(kit.message("x").chat)
        assert kit.saw_typing() == load(kit.kind).capabilities.typing


# --- failures -------------------------------------------------------------------------------


@pytest.mark.faults("call_faults")
async def test_a_disturbed_send_is_never_called_a_success(kit: Kit, fault: str) -> None:
    error = await failure(kit, fault)
    if fault == "down":
        assert isinstance(error, RetryLater)
    elif fault == "500":
        assert isinstance(error, RetryLater | OutcomeUnknown)
    else:
        assert isinstance(error, OutcomeUnknown)
    assert error.reason
    assert error.code
    assert kit.received() == []


@pytest.mark.needs("lost_reply")
async def test_a_lost_answer_is_an_unknown_outcome(kit: Kit) -> None:
    """And where the channel says it deduplicates, sending again leaves a single copy."""
    assert isinstance(await failure(kit, "lost_reply"), OutcomeUnknown)
    assert arrived(kit) == ["Помеха"]
    if load(kit.kind).capabilities.deduplicates:
        async with kit.adapter() as adapter:
            sent = await adapter.send(kit.message("Помеха"))
            assert sent.external_ids
            assert arrived(kit) == ["Помеха"]
            await adapter.send(kit.message("Помеха", key="42"))
            assert arrived(kit) == ["Помеха", "Помеха"]


@pytest.mark.faults("refusals")
async def test_a_refusal_says_what_to_do_next(kit: Kit, fault: str) -> None:
    error = await failure(kit, fault)
    assert kit.received() == []
    if fault == "flood":
        assert isinstance(error, RetryLater)
        assert error.lane
        assert error.after
        assert error.after >= timedelta(seconds=1)
    elif fault == "revoked":
        assert isinstance(error, Unauthorized)
    else:
        assert isinstance(error, Rejected)
        assert error.unreachable == (fault == "forbidden")


@pytest.mark.needs("refusals")
async def test_a_revoked_check_is_unauthorized(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        assert (await adapter.check()).external_id
        await kit.fail_next("revoked", calls="check")
        with pytest.raises(Unauthorized):
            await adapter.check()


@pytest.mark.faults("call_faults")
async def test_a_disturbed_check_may_be_repeated(kit: Kit, fault: str) -> None:
    async with kit.adapter() as adapter:
        await kit.fail_next(fault, calls="check")
        began = time.monotonic()
        with pytest.raises(RetryLater):
            await adapter.check()
        assert time.monotonic() - began < SOON


# --- the rest -------------------------------------------------------------------------------


async def test_files_are_fetched_within_the_limit(kit: Kit) -> None:
    if kit.fetchable() is None:
        return
    ref, content = kit.fetchable() or ({}, b"")
    async with kit.adapter() as adapter:
        data, mime = await adapter.fetch(ref, limit=len(content))
        assert data == content
        assert "/" in mime
        with pytest.raises(Gone):
            await adapter.fetch(ref, limit=len(content) - 1)
        for gone in [*kit.gone(), {}]:
            with pytest.raises(Gone):
                await adapter.fetch(gone, limit=1 << 20)


async def test_a_deep_link_brings_its_token(kit: Kit) -> None:
    token = "Ab-_3xyzKLMNOPqrstuv"
    async with kit.adapter() as adapter:
        info = await adapter.check()
        link = adapter.link(token, info.facts)
        if load(kit.kind).capabilities.deep_link:
            assert link
            assert token in link.url
        else:
            assert link is None


async def test_secrets_stay_secret(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    """Not in errors, their causes or traces, not in logs of any library, not in a repr."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with kit.adapter() as adapter:
        seen += [repr(adapter), str(adapter), repr(adapter.account)]  # type: ignore[attr-defined]
        await adapter.check()
        await adapter.send(kit.message("Всё хорошо"))
        for fault in (*kit.call_faults, *kit.refusals):
            await kit.fail_next(fault, calls="send")
            try:
                await adapter.send(kit.message("Плохо", key="43"))
            except DeliveryError as error:
                seen += [repr(error), str(error), error.reason, "".join(traceback.format_exception(error))]
            await kit.recover()
        if fetchable := kit.fetchable():
            await adapter.fetch(fetchable[0], limit=1 << 20)
            for gone in kit.gone():
                try:
                    await adapter.fetch(gone, limit=1 << 20)
                except Gone as error:
                    seen += ["".join(traceback.format_exception(error))]
        for path in golden(kit.kind):
            seen.append(repr(adapter.parse(path.read_bytes())))
    assert kit.secrets
    for secret in kit.secrets:
        assert not any(secret in text for text in seen), secret
        assert secret not in caplog.text


async def test_an_adapter_is_what_the_contract_says(kit: Kit) -> None:
    cls = load(kit.kind)
    assert cls.kind == kit.kind
    assert ("poll" in cls.capabilities.inbound) == kit.poll
    assert ("webhook" in cls.capabilities.inbound) == kit.webhook
    for name in secret_fields(cls.Settings):
        assert name in kit.account().settings.model_dump()
    async with kit.adapter() as adapter:
        info = await adapter.check()
        assert info.title
        assert info.external_id
        assert await adapter.profile("") is None
    await adapter.close()  # twice does no harm


async def test_what_a_channel_cannot_do_it_says(kit: Kit) -> None:
    """Undeclared acts are refused in a way that never stops the channel and asks nobody to try again."""
    chat = kit.message().chat
    acts: dict[str, Act] = {
        "edit": Edit(chat, ["1"], "x"),
        "delete": Delete(chat, ["1"]),
        "react": React(chat, "1", "👍"),
        "read": MarkRead(chat, "1"),
        "acknowledge": Acknowledge(chat, "q", "7"),
    }
    async with kit.adapter() as adapter:
        for kind, act in acts.items():
            if kind not in adapter.capabilities.acts:
                with pytest.raises(Rejected) as caught:
                    await adapter.act(act)
                assert caught.value.code == "unsupported"


async def test_calls_side_by_side_do_not_disturb_each_other(kit: Kit) -> None:
    async with kit.adapter() as adapter:
        work = [adapter.send(kit.message(f"номер {number}", key=str(100 + number))) for number in range(8)]
        sent = await asyncio.gather(*work)
        assert len({one for answer in sent for one in answer.external_ids}) == 8
        assert sorted(text.strip() for text in kit.received()) == [f"номер {number}" for number in range(8)]
