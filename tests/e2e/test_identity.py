"""One person who wrote from two places: suggested, compared, merged and separated on the customer's card."""

import os
from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.desk import Desk, signed_in, working
from tests.e2e.program import Program
from tests.e2e.screens import Console, Screens, screens
from tests.widget.browser import chromium

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio]
NEW = "a better password of ours"
NAMES = ("Анна Петрова", "Аня")


async def two_with_one_phone(desk: Desk) -> list[Any]:
    channel = await desk.call("POST", "/channels", kind="api", name="Shop")
    found = []
    for number, name in enumerate(NAMES):
        sender = {"external_id": str(number), "name": name}
        event = {"event_id": f"e{number}", "sender": sender, "text": f"Это {name}"}
        await desk.call("POST", f"/channels/{channel['id']}/inbound", **event)
        message = await desk.sees_message(f"Это {name}")
        phone = "+7 916 123-45-67" if number else "8 (916) 123-45-67"
        found.append(await desk.call("PATCH", f"/customers/{message['customer_id']}", phone=phone))
    return found


async def photograph(shown: Screens, title: str) -> None:
    """For eyes, when asked for."""
    if os.environ.get("OTKLIK_PHOTOGRAPH"):
        await shown.photograph(title)


async def test_two_are_suggested_merged_and_separated(program: Program) -> None:
    session = await signed_in(program.address, program.email, program.password, new_password=NEW)
    async with (
        working(program.address, session) as desk,
        chromium() as browser,
        screens(browser, program.address, title="identity") as shown,
    ):
        kept, merged = await two_with_one_phone(desk)
        one, other = Console(await shown.open("one")), Console(await shown.open("other"))
        for console in (one, other):
            await console.login(program.email, NEW)
        await one.go(f"/customers/{kept['id']}", "suggestion")
        await other.go(f"/customers/{merged['id']}", "suggestion")
        await photograph(shown, "suggested")
        await one.by("merge-compare").click()
        await expect(one.by("merge-preview")).to_contain_text("Аня")
        await expect(one.by("merge-do")).to_be_enabled()
        await photograph(shown, "preview")
        await one.by("merge-do").click()
        await expect(one.by("identity")).to_have_count(2)
        await expect(one.by("also")).to_contain_text("Аня")
        await expect(other.page).to_have_url(f"{program.address}/customers/{kept['id']}")
        await expect(other.by("identity")).to_have_count(2)
        await other.page.set_viewport_size({"width": 390, "height": 800})
        await photograph(shown, "merged")
        await one.by("merge-undo").click()
        await expect(one.by("identity")).to_have_count(1)
        await expect(one.by("suggestion")).to_be_visible()
        await expect(other.by("identity")).to_have_count(1)
        await one.by("merge-dismiss").click()
        await expect(one.by("suggestion")).to_have_count(0)
        await photograph(shown, "separated")
