"""What is done in VK beside sending, and what VK tells of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.acts import Acknowledge, Act, Button, Delete, Edit, MarkRead, React
from channels.base import Echo, Edited, Event, InboundMessage, Reaction, Rejected
from channels.vk.adapter import VkAdapter
from channels.vk.reactions import EMOJIS
from tests.channels.contract.kit import file
from tests.channels.test_vk import answer, batches, make, now
from tests.fakes.vk import FakeVk

CHAT = "601"


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


def button(text: str, *, data: str = "", url: str = "") -> Button:
    return Button(text=text, data=data, url=url)


async def told(fake: FakeVk, adapter: VkAdapter, cursor: dict[str, Any]) -> list[Event]:
    """What VK tells from `cursor` on."""
    fake.customer_writes(text="конец")
    found = [raw for batch in await batches(adapter, cursor, until="конец") for raw in batch.events]
    return [event for raw in found for event in adapter.parse(raw.payload)]


def shown(fake: FakeVk) -> list[tuple[str, int]]:
    """What the customer sees of ours: text and count of files."""
    messages = [one for one in fake.messages[601] if one["out"] and not one.get("deleted")]
    return [(one["text"], len(one["attachments"])) for one in messages]


async def test_an_edit_keeps_the_files_and_comes_back_once(fake: FakeVk, adapter: VkAdapter) -> None:
    sent = await adapter.send(
        answer("вот", files=[file("image", b"png", name="a.png"), file("document", b"x")])
    )
    cursor = await now(adapter)
    await adapter.act(Edit(CHAT, sent.external_ids, "исправлено", files=2))
    assert shown(fake) == [("исправлено", 2)]
    edits = [event for event in await told(fake, adapter, cursor) if isinstance(event, Edited)]
    assert [(one.chat, one.external_id, one.text) for one in edits] == [
        (CHAT, sent.external_ids[0], "исправлено")
    ]


async def test_an_edited_long_message_leaves_no_old_parts(fake: FakeVk, adapter: VkAdapter) -> None:
    files = [file("document", b"x", name=f"{n}.pdf") for n in range(11)]
    sent = await adapter.send(answer("а" * 9000, files=files))
    assert len(sent.external_ids) == 4
    cursor = await now(adapter)
    for _ in range(2):  # once more does no harm
        await adapter.act(Edit(CHAT, sent.external_ids, "коротко", files=11))
    assert shown(fake) == [("коротко", 0), ("", 10), ("", 1)]
    edits = {event.text for event in await told(fake, adapter, cursor) if isinstance(event, Edited)}
    assert edits == {"коротко"}, "the parts left with files are not taken for the message"


async def test_a_message_is_taken_back_in_all_its_parts(fake: FakeVk, adapter: VkAdapter) -> None:
    sent = await adapter.send(answer("а" * 9000))
    await adapter.act(Delete(CHAT, sent.external_ids))
    assert shown(fake) == []
    await adapter.act(Delete(CHAT, sent.external_ids))


async def test_what_is_too_old_or_not_ours_is_refused(fake: FakeVk, adapter: VkAdapter) -> None:
    sent = await adapter.send(answer("давно"))
    fake.age = 25 * 3600
    for act in (Edit(CHAT, sent.external_ids, "поздно"), Delete(CHAT, sent.external_ids)):
        with pytest.raises(Rejected) as error:
            await adapter.act(act)
        assert error.value.code == "too_old"
    assert shown(fake) == [("давно", 0)]
    with pytest.raises(Rejected):
        await adapter.act(Edit(CHAT, ["1"], "чужое"))


@pytest.mark.parametrize("fault", ["lost_reply", "html502", "cut"])
async def test_an_act_whose_answer_is_lost_may_be_repeated(
    fake: FakeVk, adapter: VkAdapter, fault: str
) -> None:
    sent = await adapter.send(answer("раз"))
    acts: dict[str, Act] = {
        "edit": Edit(CHAT, sent.external_ids, "два"),
        "delete": Delete(CHAT, sent.external_ids),
    }
    for name, act in acts.items():
        fake.fail_next(fault, method=f"messages.{name}")
        with pytest.raises(Exception, match=r"unexpected|connection"):
            await adapter.act(act)
        await adapter.act(act)
    assert shown(fake) == []


async def test_reactions_both_ways(fake: FakeVk, adapter: VkAdapter) -> None:
    sent = await adapter.send(answer("ответ"))
    cursor = await now(adapter)
    await adapter.act(React(CHAT, "1", "🔥"))
    assert fake.reactions == {(601, 1): 2}
    await adapter.act(React(CHAT, "1", ""))
    assert fake.reactions == {}
    with pytest.raises(Rejected) as error:
        await adapter.act(React(CHAT, "1", "🐘"))
    assert error.value.code == "unsupported"
    for number in (1, len(EMOJIS), 99, None):
        fake.customer_reacts(int(sent.external_ids[0]), number)
    found = [event for event in await told(fake, adapter, cursor) if isinstance(event, Reaction)]
    assert [event.emojis for event in found] == [["❤"], ["🎉"], [":vk99:"], []]
    assert {(event.external_id, event.sender.external_id) for event in found} == {
        (sent.external_ids[0], CHAT)
    }


async def test_what_we_read_the_customer_sees(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    second = fake.customer_writes(text="два")
    await adapter.act(MarkRead(CHAT, "1"))
    assert fake.read_up_to == {601: 1}
    await adapter.act(MarkRead(CHAT, "press:ev1"))
    assert fake.read_up_to == {601: second["conversation_message_id"]}
    assert len(await told(fake, adapter, cursor)) == 4, "our own reading is no news"


async def test_a_pressed_button_comes_back_and_is_acknowledged(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    long = "Очень длинная подпись, которую VK целиком не покажет"
    rows = [[button("Да", data="yes"), button(long, data="я" * 30)]]
    rows += [[button("Сайт", url="https://example.org/a?b=c")]]
    sent = await adapter.send(answer("Верно?", buttons=rows))
    buttons = fake.messages[601][-1]["keyboard"]["buttons"]
    assert [[one["action"]["type"] for one in row] for row in buttons] == [
        ["callback", "callback"], ["open_link"],
    ]  # fmt: skip
    fake.customer_presses("Да")
    [pressed] = [one for one in await told(fake, adapter, cursor) if isinstance(one, InboundMessage)][:1]
    assert (pressed.text, pressed.meta["pressed"], pressed.meta["data"]) == ("Да", "Да", "yes")
    assert (pressed.chat, pressed.reply_to) == (CHAT, sent.external_ids[0])
    await adapter.act(Acknowledge(CHAT, pressed.acknowledge, CHAT))
    assert fake.answered == [(pressed.acknowledge, 601, 601)]


@pytest.mark.parametrize("shape", [(1,) * 10, (10,), (2,) * 5, (6, 4)])
async def test_buttons_are_laid_out_as_vk_has_room(
    fake: FakeVk, adapter: VkAdapter, shape: tuple[int, ...]
) -> None:
    rows = [[button(f"{row}-{n}", data="x") for n in range(size)] for row, size in enumerate(shape)]
    await adapter.send(answer("Выберите", buttons=rows))
    shown = [one["action"]["label"] for row in fake.messages[601][-1]["keyboard"]["buttons"] for one in row]
    assert shown == [button.text for row in rows for button in row]


async def test_an_edit_changes_the_buttons_too(fake: FakeVk, adapter: VkAdapter) -> None:
    sent = await adapter.send(answer("Верно?", buttons=[[button("Да", data="yes")]]))
    await adapter.act(Edit(CHAT, sent.external_ids, "Точно?", buttons=[[button("Да", data="yes")]]))
    assert fake.messages[601][-1]["keyboard"]["buttons"][0][0]["action"]["label"] == "Да"
    await adapter.act(Edit(CHAT, sent.external_ids, "Решено"))
    assert fake.messages[601][-1]["keyboard"] is None


async def test_staff_in_vks_own_interface_is_named(fake: FakeVk, adapter: VkAdapter) -> None:
    """Asked for once; when VK will not tell, his page stands for the name."""
    cursor = await now(adapter)
    fake.people[1] = {"id": 1, "first_name": "Мария", "last_name": "Админ"}
    written = fake.admin_writes(text="из VK")
    fake.admin_writes(text="ещё")
    fake.admin_edits(written, "исправлено в VK")
    found = await told(fake, adapter, cursor)
    echoes = [event for event in found if isinstance(event, Echo)]
    assert [(echo.author, echo.text) for echo in echoes] == [("Мария Админ", "из VK"), ("Мария Админ", "ещё")]
    assert [event.text for event in found if isinstance(event, Edited)] == ["исправлено в VK"]
    asked = [values["user_ids"] for method, values in fake.calls if method == "users.get"]
    assert asked == ["1"]
    other = make(fake)
    fake.fail_next("flood", method="users.get", times=5)
    again = [event for event in await told(fake, other, cursor) if isinstance(event, Echo)]
    assert {echo.author for echo in again} == {"vk.com/id1"}
    await other.close()


async def test_names_of_many_are_asked_for_together(fake: FakeVk, adapter: VkAdapter) -> None:
    for number in range(2500):
        fake.people[10_000 + number] = {"id": 10_000 + number, "first_name": f"Имя{number}", "last_name": ""}
    ids = [str(10_000 + number) for number in range(2500)]
    found = await asyncio.gather(*(adapter.profile(id) for id in ids))
    assert [person.name for person in found if person] == [f"Имя{number}" for number in range(2500)]
    calls = [values["user_ids"].count(",") + 1 for method, values in fake.calls if method == "users.get"]
    assert calls == [1000, 1000, 500]
    await adapter.profile(ids[7])
    assert len([1 for method, _ in fake.calls if method == "users.get"]) == 3, "kept for a day"


async def test_forwarded_messages_are_shown_with_names(fake: FakeVk, adapter: VkAdapter) -> None:
    cursor = await now(adapter)
    fake.people[77] = {"id": 77, "first_name": "Олег", "last_name": "Кот"}
    inner = {"from_id": -5, "text": "глубже", "fwd_messages": [], "attachments": []}
    fake.customer_writes(
        text="вот", fwd_messages=[{"from_id": 77, "text": "цитата", "fwd_messages": [inner]}]
    )
    [message, *_] = [one for one in await told(fake, adapter, cursor) if isinstance(one, InboundMessage)]
    assert message.text == "вот\n> Олег Кот:\n> цитата\n> > vk.com/club5:\n> > глубже"
