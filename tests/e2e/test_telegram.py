"""Telegram in a real browser: every kind of content is shown as it was meant, and nothing of it runs."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.desk import Desk, signed_in
from tests.e2e.platforms import PNG, Telegram, connected
from tests.e2e.program import RESULTS, Program
from tests.e2e.screens import Console, screens
from tests.widget.browser import chromium

pytestmark = [pytest.mark.timeout(240)]
NEW = "a better password of ours"
MARKED = "😀 важно: <b>цена</b> скрыта, тут и там"


def entity(type: str, words: str, **more: Any) -> dict[str, Any]:
    """An entity over `words` of `MARKED`, in UTF-16 units."""
    offset = len(MARKED[: MARKED.index(words)].encode("utf-16-le")) // 2
    return {"type": type, "offset": offset, "length": len(words), **more}


def customer_sends_everything(telegram: Telegram) -> None:
    fake, user = telegram.fake, telegram.user
    entities = [
        entity("bold", "важно"),
        entity("spoiler", "скрыта"),
        entity("text_link", "тут", url="https://example.com/a"),
        entity("text_link", "там", url="javascript:alert(1)"),
    ]
    origin = {"type": "hidden_user", "sender_user_name": "Сосед", "date": 1_760_000_000}
    fake.customer_writes(user_id=user, text=MARKED, entities=entities, forward_origin=origin)
    for number in range(3):
        caption = "Три фото" if number == 0 else ""
        fake.customer_sends_file("photo", PNG, user_id=user, caption=caption, media_group_id="album1")
    place = {"latitude": 55.75, "longitude": 37.61}
    fake.customer_writes(
        user_id=user, location=place, venue={"location": place, "title": "Кафе", "address": "Тверская, 1"}
    )
    options = [{"persistent_id": name, "text": name, "voter_count": 0} for name in ("Да", "Нет")]
    flags = {
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "allows_multiple_answers": False,
    }
    more = {"allows_revoting": False, "members_only": False, "type": "regular"}
    fake.customer_writes(
        user_id=user, poll={"id": "1", "question": "Берём?", "options": options} | flags | more
    )
    fake.customer_writes(user_id=user, dice={"emoji": "🎲", "value": 5})
    person = {"phone_number": "+79161234567", "first_name": "Анна", "user_id": user}
    fake.customer_writes(user_id=user, contact=person)
    fake.customer_sends_file(
        "document", b"x", user_id=user, file_name="film.mkv", mime="video/x-matroska", size=30 << 20
    )


async def test_what_a_customer_sends_is_shown_as_he_meant_it(program: Program) -> None:
    session = await signed_in(program.address, program.email, program.password, new_password=NEW)
    desk = Desk(program.address, session)
    async with desk.http, connected(desk, "telegram", "poll") as (telegram, _):
        assert isinstance(telegram, Telegram)
        customer_sends_everything(telegram)
        async with chromium() as browser, screens(browser, program.address, title="telegram") as shown:
            console = Console(await shown.open("admin"))
            await console.login(program.email, NEW)
            await console.go("/inbox/unassigned", "dialog-row")
            await console.by("dialog-row").click()
            await everything_is_shown(console)
            await a_pressed_button(console, telegram, desk)
            RESULTS.mkdir(exist_ok=True)
            await shown.photograph("telegram-shown")


async def everything_is_shown(console: Console) -> None:
    marked = console.message("важно")
    await expect(marked.locator(".bold")).to_have_text("важно")
    await expect(marked).to_contain_text("<b>цена</b>")
    await expect(marked.locator("a")).to_have_count(1)
    await expect(marked.locator("a")).to_have_attribute("href", "https://example.com/a")
    await marked.locator("button.hidden").click()
    await expect(marked.locator(".spoiler")).to_have_text("скрыта")
    await expect(marked.locator('[data-testid="forwarded"]')).to_contain_text("Сосед")
    album = console.message("Три фото")
    await expect(album.locator('[data-testid="picture"]')).to_have_count(3)
    await expect(console.by("place")).to_contain_text("Тверская, 1")
    await expect(console.by("place").locator("a")).to_have_text("55.75000, 37.61000")
    await expect(console.by("poll").locator("li")).to_have_text(["Да", "Нет"])
    await expect(console.by("dice")).to_contain_text("5")
    await expect(console.by("contact")).to_contain_text("+79161234567")
    await expect(console.message("film.mkv")).to_contain_text("30")
    await expect(console.message("film.mkv")).to_contain_text("Telegram")


async def a_pressed_button(console: Console, telegram: Telegram, desk: Desk) -> None:
    dialog = (await desk.call("GET", "/dialogs?view=all"))["items"][0]["id"]
    buttons = [[{"text": "Утром", "data": "am"}, {"text": "Вечером", "data": "pm"}]]
    await desk.call(
        "POST", f"/dialogs/{dialog}/messages", text="Когда?", client_key="press-0001", buttons=buttons
    )
    await expect(console.message("Когда?", status="sent")).to_be_visible()
    telegram.fake.customer_presses("Вечером", user_id=telegram.user)
    await expect(console.message("Вечером", direction="in")).to_be_visible()
