"""What people see and do in their browsers: the agents' console and the shop with the site chat.

Every wait is for something on the screen; `Screens` photographs all of them when a test fails.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.program import RESULTS
from tests.helpers import eventually
from tests.widget.browser import Chat

PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)


def selector(test_id: str, **data: str) -> str:
    """CSS of a handle; `status="read"` means `data-status="read"`."""
    return f'[data-testid="{test_id}"]' + "".join(f'[data-{name}="{value}"]' for name, value in data.items())


@dataclass
class Screens:
    """All browsers of a story."""

    browser: Browser
    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def open(self, name: str, path: str = "/", **context: Any) -> Page:
        """A browser of its own for one person; whatever goes wrong in its scripts is an error."""
        wanted = {"locale": "ru-RU", "viewport": {"width": 1440, "height": 900}, "base_url": self.address}
        visit = await self.browser.new_context(**(wanted | context))
        visit.set_default_timeout(PATIENCE)
        page = self.pages[name] = await visit.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{name}: {error}"))
        await page.goto(path)
        return page

    async def photograph(self, title: str) -> None:
        RESULTS.mkdir(exist_ok=True)
        for name, page in self.pages.items():
            await page.screenshot(path=RESULTS / f"{title}-{name}.png")


@asynccontextmanager
async def screens(browser: Browser, address: str, *, title: str) -> AsyncIterator[Screens]:
    """Screens for the length of the block; photographed into test-results/ when it fails."""
    shown = Screens(browser, address)
    try:
        yield shown
        assert shown.faults == []
    except BaseException:
        await shown.photograph(title)
        raise
    finally:
        for page in shown.pages.values():
            await page.context.close()


class Console:
    """An agent's console."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def by(self, test_id: str, **data: str) -> Locator:
        return self.page.locator(selector(test_id, **data))

    async def login(self, email: str, password: str, *, new_password: str = "") -> None:
        """Sign in; with `new_password`, as somebody who has to choose one first."""
        await self.by("login-email").fill(email)
        await self.by("login-password").fill(password)
        await self.by("login-submit").click()
        if new_password:
            await self.by("new-password-first").fill(new_password)
            await self.by("new-password-second").fill(new_password)
            await self.by("new-password-submit").click()
        await expect(self.by("nav-inbox")).to_be_visible()

    async def go(self, path: str, shows: str) -> None:
        """An address of the console, until the handle `shows` is there."""
        await self.page.goto(path)
        await expect(self.by(shows).first).to_be_visible()

    # --- list ---------------------------------------------------------------------------

    def row(self, name: str) -> Locator:
        return self.by("dialog-row").filter(has_text=name)

    async def view(self, name: str, *, status: str = "") -> None:
        await self.by(f"view-{name}").click()
        if status:
            await self.by("filter-status").select_option(status)
        await expect(self.page).to_have_url(re.compile(rf"/inbox/{name}.*{status}"))

    async def rows(self, count: int) -> None:
        await expect(self.by("dialog-row")).to_have_count(count)

    async def open_dialog(self, name: str) -> None:
        await self.row(name).click()
        await expect(self.by("thread")).to_be_visible()

    # --- thread -------------------------------------------------------------------------

    def message(self, text: str, **data: str) -> Locator:
        return self.page.locator(selector("message", **data)).filter(has_text=text)

    async def shows(self, text: str, **data: str) -> None:
        """A message of the open thread, exactly once."""
        await expect(self.message(text, **data)).to_have_count(1)
        await expect(self.message(text, **data)).to_be_in_viewport()

    async def answer(self, text: str) -> None:
        """Type and press Enter."""
        await self.by("composer-text").fill(text)
        await self.by("composer-text").press("Enter")
        await expect(self.by("composer-text")).to_have_value("")

    async def key(self, key: str) -> None:
        """A key of the map, pressed outside of any field."""
        await self.page.evaluate("document.activeElement?.blur()")
        await self.page.keyboard.press(key)

    async def pick(self, **data: str) -> None:
        await self.page.locator(selector("pick-item", **data)).click()

    async def counter(self, view: str, count: int) -> None:
        """The number beside a view; none when it is 0."""
        number = self.by(f"view-{view}").locator(".count")
        if count:
            await expect(number).to_have_text(str(count))
        else:
            await expect(number).to_have_count(0)


class Visitor(Chat):
    """A visitor of the shop."""

    async def shows(self, *texts: str, timeout: float = PATIENCE / 1000) -> None:
        async def same() -> bool:
            now = [text.strip() for text in await self.texts()]
            assert now == list(texts), now
            return True

        await eventually(same, timeout)
