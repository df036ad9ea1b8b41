"""Pictures for the README, by hand, from a running program with a story in it (`otklik demo`):

python -m tests.e2e.screenshots OUT_DIR --address http://127.0.0.1:8080 --email … --password …

The agent should be an administrator; his language is changed for the pictures and given back.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.e2e.screens import selector
from tests.widget.browser import Chat, chromium

API = "/api/v1"
DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
WORDS = {
    "ru": ("Здравствуйте! Какой чай взять для утра?", "ru-RU"),
    "en": ("Hello! Which tea is good for the morning?", "en-GB"),
}


@asynccontextmanager
async def signed_in(
    browser: Browser, given: argparse.Namespace, **look: Any
) -> AsyncIterator[BrowserContext]:
    """A browser in which the agent is signed in."""
    context = await browser.new_context(**({"base_url": given.address, "viewport": DESK} | look))
    body = {"email": given.email, "password": given.password}
    answer = await context.request.post(f"{API}/login", data=body, headers={"X-Otklik": "1"})
    assert answer.ok, await answer.text()
    try:
        yield context
    finally:
        await context.request.post(f"{API}/logout", headers={"X-Otklik": "1"})
        await context.close()


async def speak(context: BrowserContext, locale: str) -> str:
    """Change the agent's language; returns what it was."""
    before: str = (await (await context.request.get(f"{API}/me")).json())["locale"]
    answer = await context.request.patch(f"{API}/me", data={"locale": locale}, headers={"X-Otklik": "1"})
    assert answer.ok, await answer.text()
    return before


async def liveliest(context: BrowserContext, locale: str) -> str:
    """The open dialog with most to see: several contacts, many messages, tasks; in the language."""

    async def get(path: str) -> Any:
        return await (await context.request.get(API + path)).json()

    best = (-1, "")
    for dialog in (await get("/dialogs?view=all&limit=60"))["items"]:
        card = await get(f"/customers/{dialog['customer']['id']}")
        thread = (await get(f"/customers/{card['id']}/messages?limit=50"))["items"]
        said = "".join(message["text"] for message in thread)
        is_russian = sum("а" <= letter <= "я" for letter in said.lower()) > len(said) / 3
        kinds = {identity["kind"] for identity in card["identities"]}
        pictures = sum(len(message["attachments"]) for message in thread)
        score = (
            12 * len(kinds) + min(len(thread), 14) + 8 * min(dialog["task_count"], 2) + 5 * min(pictures, 3)
        )
        best = max(best, (score if is_russian == (locale == "ru") else 0, dialog["id"]))
    return best[1]


async def settled(page: Page, test_id: str) -> None:
    """The handle is there, pictures have come, nothing moves."""
    await expect(page.locator(selector(test_id)).first).to_be_visible(timeout=20_000)
    await page.wait_for_load_state("networkidle")
    await page.evaluate("document.fonts.ready")
    await page.evaluate(
        "Promise.all([...document.images].map((one) => one.complete || one.decode().catch(() => {})))"
    )


async def take(context: BrowserContext, path: str, test_id: str, target: Path) -> None:
    page = await context.new_page()
    await page.goto(path)
    await settled(page, test_id)
    await page.screenshot(path=target, animations="disabled")
    await page.close()
    print(target)


async def console(browser: Browser, given: argparse.Namespace, locale: str) -> None:
    """All pictures of the console in a language."""
    out, language = Path(given.out), {"locale": WORDS[locale][1]}
    async with signed_in(browser, given, **language) as light:
        before = await speak(light, locale)
        try:
            dialog = await liveliest(light, locale)
            inbox = f"/inbox/all/{dialog}"
            await take(light, inbox, "message", out / f"inbox-{locale}.png")
            await take(light, "/tasks?view=all", "task-card", out / f"tasks-{locale}.png")
            await take(light, "/settings/channels", "channel-row", out / f"channels-{locale}.png")
            async with signed_in(browser, given, color_scheme="dark", **language) as dark:
                await take(dark, inbox, "message", out / f"inbox-dark-{locale}.png")
            phone = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
            async with signed_in(browser, given, **phone, **language) as small:
                await take(small, inbox, "message", out / f"phone-{locale}.png")
                await take(small, "/inbox/all", "dialog-row", out / f"phone-list-{locale}.png")
        finally:
            await speak(light, before)


async def site_chat(browser: Browser, given: argparse.Namespace, locale: str) -> None:
    """The shop with the chat open."""
    text, language = WORDS[locale]
    context = await browser.new_context(base_url=given.address, viewport=DESK, locale=language)
    page = await context.new_page()
    await page.goto(f"/demo-chat?lang={locale}")
    chat = Chat(page)
    await chat.open()
    if given.write:
        await chat.write(text)
        await chat.shows(text)
    target = Path(given.out) / f"site-chat-{locale}.png"
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=target, animations="disabled")
    await context.close()
    print(target)


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the README's pictures from a running demo.")
    parser.add_argument("out")
    parser.add_argument("--address", default="http://127.0.0.1:8080")
    parser.add_argument("--email", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--locale", action="append", choices=list(WORDS), help="which of them; else both")
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="write nothing in the site chat"
    )
    given = parser.parse_args()
    Path(given.out).mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(given))


async def take_all(given: argparse.Namespace) -> None:
    async with chromium() as browser:
        for locale in given.locale or WORDS:
            await console(browser, given, locale)
            await site_chat(browser, given, locale)


if __name__ == "__main__":
    main()
