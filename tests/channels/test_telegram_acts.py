"""Telegram beside sending: changed, taken back, reacted to, marked read, buttons and who pressed them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from channels.acts import Acknowledge, Act, Button, Delete, Edit, MarkRead, React
from channels.base import InboundMessage, Reaction, Rejected, RetryLater, Unauthorized
from channels.telegram.adapter import TelegramAdapter
from tests.channels.contract.kit import file
from tests.channels.test_telegram import answer, make
from tests.fakes.telegram import FakeTelegram


def button(text: str, *, data: str = "", url: str = "") -> Button:
    return Button(text=text, data=data, url=url)


SUGGESTED = [[button("Утром", data="am"), button("Вечером")], [button("Сайт", url="https://a.b")]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        fake.customer_writes(text="/start")
        yield fake


@pytest.fixture
async def adapter(fake: FakeTelegram) -> AsyncIterator[TelegramAdapter]:
    adapter = make(fake)
    yield adapter
    await adapter.close()


async def events(adapter: TelegramAdapter) -> list[Any]:
    batch = await anext(adapter.pull({}))
    return [event for raw in batch.events for event in adapter.parse(raw.payload)]


# --- changed --------------------------------------------------------------------------------


async def test_a_changed_text_keeps_its_buttons_and_may_be_changed_twice(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    sent = await adapter.send(answer("Когда?", buttons=SUGGESTED))
    edit = Edit("501", sent.external_ids, "Когда удобно?", buttons=SUGGESTED)
    await adapter.act(edit)
    await adapter.act(edit)
    [message] = fake.sent
    assert (message.text, message.edited) == ("Когда удобно?", 1)
    labels = [[button["text"] for button in row] for row in message.keyboard]
    assert labels == [["Утром", "Вечером"], ["Сайт"]]


async def test_a_changed_text_of_files_is_their_caption(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    files = [file("image", b"1"), file("image", b"2")]
    sent = await adapter.send(answer("Два", files=files))
    await adapter.act(Edit("501", sent.external_ids, "Две", files=2))
    assert [message.text for message in fake.sent] == ["Две", ""]
    with pytest.raises(Rejected) as error:
        await adapter.act(Edit("501", sent.external_ids, "д" * 1025, files=2))
    assert error.value.code == "too_long"


async def test_a_text_before_its_files_is_changed_as_a_text(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    sent = await adapter.send(answer("д" * 1025, files=[file("document", b"1")]))
    await adapter.act(Edit("501", sent.external_ids, "коротко", files=1))
    assert [message.text for message in fake.sent] == ["коротко", ""]


@pytest.mark.parametrize(
    ("ids", "text", "code"),
    [
        (["2", "3"], "x", "parts"),
        (["77"], "x", "gone"),
        (["1"], "x", "too_old"),
        (["abc"], "x", "gone"),
    ],
)
async def test_what_cannot_be_changed_says_why(
    fake: FakeTelegram, adapter: TelegramAdapter, ids: list[str], text: str, code: str
) -> None:
    with pytest.raises(Rejected) as error:
        await adapter.act(Edit("501", ids, text))
    assert error.value.code == code


# --- taken back -----------------------------------------------------------------------------


async def test_a_message_is_taken_back_with_all_its_parts_once_or_twice(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    sent = await adapter.send(answer("слово " * 1000))
    await adapter.act(Delete("501", sent.external_ids))
    await adapter.act(Delete("501", sent.external_ids))
    assert [message.deleted for message in fake.sent] == [True, True]


async def test_after_two_days_it_is_too_late(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    assert adapter.capabilities.delete_within == timedelta(hours=48)
    sent = await adapter.send(answer("старое"))
    fake.sent[0].date -= 48 * 3600 + 1
    with pytest.raises(Rejected) as error:
        await adapter.act(Delete("501", sent.external_ids))
    assert error.value.code == "too_old"


# --- reactions ------------------------------------------------------------------------------


async def test_a_reaction_takes_the_place_of_the_other(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    for emoji, now in (("👍", ["👍"]), ("🔥", ["🔥"]), ("", [])):
        await adapter.act(React("501", "1", emoji))
        assert fake.reactions[(501, 1)] == now
    with pytest.raises(Rejected) as error:
        await adapter.act(React("501", "99", "👍"))
    assert error.value.code == "gone"


async def test_every_declared_emoji_is_one_of_telegrams(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    from aiogram.types import ReactionTypeEmoji

    known = ReactionTypeEmoji.__doc__ or ""
    assert "reaction" in known
    for emoji in adapter.capabilities.emojis:
        await adapter.act(React("501", "1", emoji))
    assert len(set(adapter.capabilities.emojis)) == 73


async def test_a_customers_reaction_is_told(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    await anext(adapter.pull({}))  # who asks for reactions gets them
    fake.queue.clear()
    sent = await adapter.send(answer("Спасибо за заказ"))
    fake.customer_reacts(int(sent.external_ids[0]), "❤", ":5368:")
    fake.customer_reacts(int(sent.external_ids[0]))
    told = [event for event in await events(adapter) if isinstance(event, Reaction)]
    assert [(event.external_id, event.emojis) for event in told] == [
        (sent.external_ids[0], ["❤", ":custom:"]),
        (sent.external_ids[0], []),
    ]


# --- buttons --------------------------------------------------------------------------------


@pytest.mark.parametrize(("label", "data"), [("Утром", "am"), ("Вечером", "Вечером")])
async def test_a_pressed_button_comes_back_with_its_label_and_is_acknowledged(
    fake: FakeTelegram, adapter: TelegramAdapter, label: str, data: str
) -> None:
    sent = await adapter.send(answer("Когда?", buttons=SUGGESTED))
    fake.queue.clear()
    query = fake.customer_presses(label)
    [event] = await events(adapter)
    assert isinstance(event, InboundMessage)
    assert (event.text, event.reply_to, event.acknowledge) == (label, sent.external_ids[0], query)
    assert (event.meta["pressed"], event.meta["data"]) == (label, data)
    for _ in range(2):  # the second time Telegram says that the query is too old
        await adapter.act(Acknowledge(event.chat, event.acknowledge, event.sender.external_id))
    assert fake.pressed == []


async def test_pressing_stays_in_the_order_of_its_chat(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    await adapter.send(answer("Когда?", buttons=SUGGESTED))
    fake.customer_presses("Утром")
    batch = await anext(adapter.pull({}))
    assert [event.lane for event in batch.events] == ["501", "501"]


async def test_buttons_stand_below_the_text_of_files(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    pictures = [file("image", b"1"), file("image", b"2")]
    await adapter.send(answer("Выберите", files=pictures, buttons=SUGGESTED))
    assert [(one.method, bool(one.keyboard)) for one in fake.sent] == [
        ("sendMessage", True),
        ("sendMediaGroup", False),
        ("sendMediaGroup", False),
    ]
    fake.sent.clear()
    await adapter.send(answer("Выберите", files=pictures[:1], buttons=SUGGESTED))
    assert [(one.method, one.text, bool(one.keyboard)) for one in fake.sent] == [
        ("sendPhoto", "Выберите", True)
    ]
    with pytest.raises(Rejected) as error:
        await adapter.send(answer(files=pictures, buttons=SUGGESTED))
    assert error.value.code == "buttons_need_text"


async def test_data_of_a_button_is_counted_in_bytes(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    with pytest.raises(Rejected) as error:
        await adapter.send(answer("x", buttons=[[button("x", data="я" * 33)]]))
    assert error.value.code == "bad_button"
    await adapter.send(answer("x", buttons=[[button("я" * 40)]]))
    assert fake.sent[0].keyboard[0][0]["callback_data"] == "я" * 32


# --- business chats -------------------------------------------------------------------------


async def test_in_a_business_chat_things_are_done_through_its_connection(
    fake: FakeTelegram, adapter: TelegramAdapter
) -> None:
    sent = await adapter.send(answer("по-деловому", chat="501:bc77"))
    await adapter.act(Edit("501:bc77", sent.external_ids, "иначе"))
    await adapter.act(MarkRead("501:bc77", "1"))
    await adapter.act(Delete("501:bc77", sent.external_ids))
    assert fake.read == [(501, 1)]
    assert fake.sent[0].deleted
    business = [values.get("business_connection_id") for method, values in fake.calls if method != "getMe"]
    assert business == ["bc77"] * 4
    with pytest.raises(Rejected) as error:
        await adapter.act(React("501:bc77", "1", "👍"))
    assert error.value.code == "unsupported"


async def test_elsewhere_there_is_nothing_to_mark_read(fake: FakeTelegram, adapter: TelegramAdapter) -> None:
    await adapter.act(MarkRead("501", "1"))
    assert fake.calls == []


# --- failures -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["cut", "lost_reply", "html502", "slow", "500", "flood"])
async def test_a_disturbed_act_may_be_done_again(
    fake: FakeTelegram, adapter: TelegramAdapter, fault: str
) -> None:
    sent = await adapter.send(answer("было"))
    fake.fail_next(fault, method="editMessageText")
    edit = Edit("501", sent.external_ids, "стало")
    with pytest.raises(RetryLater) as error:
        await adapter.act(edit)
    assert error.value.lane == (fault == "flood")
    await adapter.act(edit)
    assert fake.sent[0].text == "стало"


@pytest.mark.parametrize(
    "act",
    [Edit("501", ["2"], "x"), Delete("501", ["2"]), React("501", "1", "👍"), MarkRead("501:bc77", "1"),
     Acknowledge("501", "q", "501")],
)  # fmt: skip
async def test_a_revoked_token_stops_every_act(
    fake: FakeTelegram, adapter: TelegramAdapter, act: Act
) -> None:
    fake.fail_next("revoked")
    with pytest.raises(Unauthorized):
        await adapter.act(act)
