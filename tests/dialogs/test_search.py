"""The search: what is found, by whom, in which order, and how it is shown."""

from typing import Any
from uuid import uuid4

import pytest

from dialogs import search, search_words
from tests.api.conftest import Client, make_client
from tests.dialogs.desk import Chat, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(client: Client, q: str, **params: Any) -> dict[str, Any]:
    answer = await client.get("/search", params={"q": q, **params})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def text_of(hit: dict[str, Any]) -> str:
    return "".join(part["text"] for part in hit["fragment"])


async def texts(client: Client, q: str, **params: Any) -> list[str]:
    return [text_of(hit) for hit in (await ask(client, q, **params))["items"]]


def matches(hit: dict[str, Any]) -> list[str]:
    return [part["text"] for part in hit["fragment"] if part["match"]]


async def said(chat: Chat, *lines: str) -> str:
    """A word that only these messages hold, each said by a customer of its own."""
    word = "".join(chr(ord("a") + int(sign, 16)) for sign in uuid4().hex[:12])
    for line in lines:
        await chat.write(uuid4().hex, f"{line} {word}")
    return word


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("Не пришли два заказа", "заказ"),
        ("Мой ЗАКАЗ потерялся", "заказами"),
        ("Когда привезёте ёлку", "елка"),
        ("Полет отменен", "полёт отменён"),
        ("The parcels were delivered late", "delivering parcel"),
        ("Верните деньги за refund order", "деньги orders"),
        ("Где заказ ORD-1042?", "ORD-1042"),
        ("Где заказ ORD-1042?", "1042"),
        ("Заказ №99120", "№99120"),
        ("Заказ №99120", "#99120"),
        ("Звоните +7 (916) 123-45-67 днём", "+7 (916) 123-45-67"),
        ("Звоните +7 (916) 123-45-67 днём", "123-45-67"),
        ("Звоните 8-800-555-35-35", "8-800-555-35-35"),
        ("Мой номер +79161234567", "79161234567"),
        ("Пишите на ivan.petrov@example.com, жду", "ivan.petrov@example.com"),
        ("Пишите на ivan-petrov@example.com", "IVAN-PETROV@example.com"),
        ("Смотрите https://shop.example/a/b-1", "shop.example"),
        ("возврат/обмен за 1990.50", "обмен 1990.50"),
        ("онлайн-заказ", "заказ онлайн"),
    ],
)
async def test_words_are_found_as_people_write_them(desk: Desk, text: str, q: str) -> None:
    chat = await desk.chat()
    word = await said(chat, text)
    assert await texts(desk.anna, f"{q} {word}") == [f"{text} {word}"]


async def test_phrase_minus_and_or(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat, "быстрая доставка", "доставка курьером, быстрая", "самовывоз")
    assert await texts(desk.anna, f'"быстрая доставка" {word}') == [f"быстрая доставка {word}"]
    assert await texts(desk.anna, f"доставка -курьер {word}") == [f"быстрая доставка {word}"]
    assert await texts(desk.anna, f'-"быстрая доставка" доставка {word}') == [
        f"доставка курьером, быстрая {word}"
    ]
    assert len(await texts(desk.anna, f"доставка or самовывоз {word}")) >= 1
    assert {text.split()[0] for text in await texts(desk.anna, f"{word} -самовывоз")} == {
        "быстрая",
        "доставка",
    }


async def test_beginning_of_a_word_while_typing(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat, "доставка", "заказ и деньги")
    assert await texts(desk.anna, f"{word} дост") == []
    assert await texts(desk.anna, f"{word} дост", typing=True) == [f"доставка {word}"]
    assert await texts(desk.anna, f"{word} доставками", typing=True) == [f"доставка {word}"]
    assert await texts(desk.anna, f"{word} дост ", typing=True) == []
    assert await texts(desk.anna, word[:7], typing=True) != []
    assert await texts(desk.anna, f"{word} деньги или", typing=True) == [f"заказ и деньги {word}"]


@pytest.mark.parametrize("q", ["", "  ", "и в на", "the", "-заказ", "!!!", '"', "()", "-", '""', "or"])
async def test_nothing_asked_is_said(desk: Desk, q: str) -> None:
    for typing in (False, True):
        found = await ask(desk.anna, q, typing=typing)
        assert found == {"items": [], "next": None, "nothing_asked": True}


@pytest.mark.parametrize(
    "q",
    [
        "a & b | !c",
        "'; drop table messages; --",
        "ab:*",
        "\\",
        "<b>x</b>",
        "((",
        '"a "b',
        "a" * 200,
        "😀 заказ",
        "%",
    ],
)
async def test_no_query_is_an_error(desk: Desk, q: str) -> None:
    for typing in (False, True):
        await ask(desk.anna, q, typing=typing)


async def test_what_is_not_a_search_is_told(desk: Desk) -> None:
    assert (await desk.anna.get("/search")).status_code == 422
    assert (await desk.anna.get("/search", params={"q": "x" * 201})).status_code == 422
    bad = await desk.anna.get("/search", params={"q": "заказ", "cursor": "bm8"})
    assert bad.status_code == 400
    naive = await desk.anna.get("/search", params={"q": "заказ", "since": "2026-01-01T00:00:00"})
    assert naive.status_code == 400


# --- rights ---------------------------------------------------------------------------------


async def test_one_finds_what_one_may_see_and_no_more(desk: Desk) -> None:
    """anna's team gives the dialog to sales; what comes after is boris's, what was before is both's."""
    chat = await desk.chat()
    word = await said(chat)
    before = await chat.write("kim", f"before {word}")
    await desk.answer(before["dialog_id"], f"note {word}", direction="note")
    assert len(await texts(desk.anna, word)) == 2
    assert await texts(desk.boris, word) == []
    await desk.anna.post(f"/dialogs/{before['dialog_id']}/close")
    await desk.db.raw.execute(
        "update dialogs set closed_at = now() - interval '1 year' where id = $1", before["dialog_id"]
    )
    after = await chat.write("kim", f"after {word}")
    await desk.db.raw.execute(
        "update dialogs set team_id = $1 where id = $2", desk.world.sales, after["dialog_id"]
    )
    assert sorted(await texts(desk.boris, word)) == [f"after {word}", f"before {word}", f"note {word}"]
    assert sorted(await texts(desk.anna, word)) == [f"before {word}", f"note {word}"]
    assert len(await texts(desk.world.admin, word)) == 3


async def test_nothing_of_the_hidden_comes_through(desk: Desk) -> None:
    """Neither by a filter, nor by a cursor, nor by the size of what is answered."""
    chat = await desk.chat()
    word = await said(chat, *["secret"] * 3)
    full = await ask(desk.anna, word, limit=1)
    assert full["next"]
    for params in (
        {},
        {"channel_id": str(chat.id)},
        {"cursor": full["next"]},
        {"team_id": str(desk.world.support)},
    ):
        found = await ask(desk.boris, word, **params)
        assert found == {"items": [], "next": None, "nothing_asked": False}


async def test_a_stranger_searches_nothing(desk: Desk) -> None:
    async with make_client(desk.world.app) as stranger:
        assert (await stranger.get("/search", params={"q": "заказ"})).status_code == 401


# --- what is shown --------------------------------------------------------------------------


async def test_a_hit_leads_to_its_message(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat)
    row = await chat.write("ann", f"Где мои заказы? {word}")
    (hit,) = (await ask(desk.anna, f"заказ {word}"))["items"]
    assert hit["message_id"] == str(row["id"])
    assert hit["seq"] == row["seq"]
    assert hit["direction"] == "in"
    assert hit["customer"]["id"] == str(row["customer_id"])
    assert hit["dialog_number"] == (await chat.dialogs("ann"))[0]["number"]
    assert matches(hit) == ["заказы", word]


async def test_markup_stays_text(desk: Desk) -> None:
    chat = await desk.chat()
    evil = "<img src=x onerror=alert(1)> \x01заказ\x02 <b>заказ-1</b> &lt;"
    word = await said(chat, evil)
    (hit,) = (await ask(desk.anna, f"заказ {word}"))["items"]
    assert text_of(hit) == f"{evil} {word}"
    assert matches(hit) == ["заказ", "заказ", word]


async def test_a_long_text_is_shown_around_its_match(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat, "😀 начало " + "слово " * 500 + "искомое")
    (hit,) = (await ask(desk.anna, f"искомое {word}"))["items"]
    assert matches(hit) == ["искомое", word]
    assert text_of(hit).startswith("…слово")
    assert len(text_of(hit)) < 250


async def test_edited_and_emptied_messages(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat, "старое")
    await desk.db.raw.execute(f"update messages set text = 'новое {word}' where text = 'старое {word}'")
    assert await texts(desk.anna, f"старое {word}") == []
    assert await texts(desk.anna, f"новое {word}") == [f"новое {word}"]
    await desk.db.raw.execute(f"update messages set text = '' where text = 'новое {word}'")
    assert await texts(desk.anna, word) == []


async def test_system_lines_are_not_searched(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(chat, "строка")
    await desk.db.raw.execute(f"update messages set direction = 'system' where text = 'строка {word}'")
    assert await texts(desk.anna, word) == []


# --- order and pages ------------------------------------------------------------------------


async def test_the_best_of_the_newest_stand_first(desk: Desk) -> None:
    chat = await desk.chat()
    word = await said(
        chat, "заказ, а доставка потом", "заказ " + "и ещё много слов " * 5 + "доставка", "просто так"
    )
    found = await texts(desk.anna, f"заказ доставка {word}")
    assert found[0].startswith("заказ, а доставка")
    newest = await said(chat, "раз", "два", "три")
    assert [text.split()[0] for text in await texts(desk.anna, newest)] == ["три", "два", "раз"]


async def pages(client: Client, q: str, **params: Any) -> list[str]:
    """Ids over all pages."""
    found = await ask(client, q, **params)
    ids = [hit["message_id"] for hit in found["items"]]
    while found["next"]:
        found = await ask(client, q, cursor=found["next"], **params)
        ids += [hit["message_id"] for hit in found["items"]]
    return ids


@pytest.mark.parametrize(("first_step", "candidates"), [(1000, 500), (3, 2), (1, 1), (2, 500)])
async def test_pages_hold_everything_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, first_step: int, candidates: int
) -> None:
    """However small the steps back in time are, and whoever writes meanwhile."""
    monkeypatch.setattr(search, "FIRST_STEP", first_step)
    monkeypatch.setattr(search, "CANDIDATES", candidates)
    chat = await desk.chat()
    word = await said(chat, *["слово " * (n % 3 + 1) for n in range(11)])
    everything = await desk.rows(f"select id from messages where text like '%{word}%'")
    found = await ask(desk.anna, word, limit=2)
    await chat.write("late", f"слово {word}")
    ids = [hit["message_id"] for hit in found["items"]]
    while found["next"]:
        found = await ask(desk.anna, word, limit=2, cursor=found["next"])
        ids += [hit["message_id"] for hit in found["items"]]
    assert sorted(ids) == sorted(str(row["id"]) for row in everything)


async def test_time_is_up_and_the_cursor_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FIRST_STEP", 1)
    monkeypatch.setattr(search, "BUDGET", 0.0)
    chat = await desk.chat()
    word = await said(chat, "раз", "два")
    for _ in range(3):
        await chat.write("other", "ничего")
    first = await ask(desk.anna, word)
    assert first["items"] == []
    assert first["next"]
    monkeypatch.setattr(search, "BUDGET", 10.0)
    assert len(await pages(desk.anna, word)) == 2


async def test_filters(desk: Desk) -> None:
    one, two = await desk.chat(), await desk.chat()
    word = await said(one, "один")
    row = await two.write("eva", f"два {word}")
    await desk.answer(row["dialog_id"], f"ответ {word}")
    await desk.answer(row["dialog_id"], f"заметка {word}", direction="note")
    anna = desk.anna

    async def found(**params: Any) -> set[str]:
        return {text.split()[0] for text in await texts(anna, word, **params)}

    assert await found() == {"один", "два", "ответ", "заметка"}
    assert await found(channel_id=one.id) == {"один"}
    assert await found(customer_id=row["customer_id"]) == {"два", "ответ", "заметка"}
    assert await found(direction="note") == {"заметка"}
    assert await found(agent_id=anna.id) == {"ответ", "заметка"}
    await desk.db.raw.execute(
        "update dialogs set team_id = $1 where id = $2", desk.world.support, row["dialog_id"]
    )
    assert await found(team_id=desk.world.support) == {"два", "ответ", "заметка"}
    at = row["created_at"].isoformat()
    assert await found(until=at) == {"один"}
    assert await found(since=at) == {"два", "ответ", "заметка"}
    assert await found(since=at, until=at) == set()


async def test_a_fragment_without_marks_is_the_beginning() -> None:
    assert [part.text for part in search_words.fragment("Привет", "Привет")] == ["Привет"]
    assert [part.text for part in search_words.fragment("Привет", "\x01При\x02в")] == ["Привет"]
