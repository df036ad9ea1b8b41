"""A real browser for the site chat, a foreign site that embeds it, and a desk that works by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, BrowserContext, Frame, Page, async_playwright

from tests.helpers import eventually, require
from tests.widget.site import Site, serving

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    path = require("chromium", "the browser that opens the site chat")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def working(site: Site) -> AsyncIterator[None]:
    """Let the inbox understand whatever is stored, as soon as it is."""
    woken = asyncio.Event()
    site.app.state.inbox_wake = lambda *_: woken.set()

    async def work() -> None:
        while True:
            await woken.wait()
            woken.clear()
            await site.understand()

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def shop(site: Site, *, csp: str = "", lang: str = "ru", attributes: str = "") -> AsyncIterator[str]:
    """Address of a foreign site with the chat on it."""
    app = FastAPI()
    script = f'<script src="{site.url}/widget/loader.js" data-channel="{site.channel_id}" {attributes} async>'
    page = (
        f'<!doctype html><html lang="{lang}"><title>Shop</title><style nonce="n">button {{ display: none }}'
        f"</style><h1>Shop</h1><input id=field>{script}</script></html>"
    )

    @app.get("/")
    async def home() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": csp} if csp else None)

    async with serving(app) as url:
        yield url.replace("127.0.0.1", "localhost")


class Chat:
    """The chat on a page, as a visitor uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def frame(self) -> Frame:
        return next(frame for frame in self.page.frames if "/widget/frame.html" in frame.url)

    def by(self, name: str) -> Any:
        return self.frame.get_by_test_id(name)

    async def open(self) -> None:
        await self.page.get_by_test_id("chat-open").click()
        await self.by("chat-text").wait_for()

    async def write(self, text: str) -> None:
        await self.by("chat-text").fill(text)
        await self.by("chat-send").click()

    async def texts(self) -> list[str]:
        return [text.strip() for text in await self.by("chat-message").locator(".bubble").all_inner_texts()]

    async def shows(self, *texts: str, timeout: float = 10) -> None:
        async def same() -> bool:
            now = await self.texts()
            assert now == list(texts), now
            return True

        await eventually(same, timeout)


@asynccontextmanager
async def visiting(browser: Browser, url: str, **context: Any) -> AsyncIterator[Chat]:
    """A new visitor on the page; whatever goes wrong in its scripts is an error."""
    visit: BrowserContext = await browser.new_context(**{"locale": "ru-RU", **context})
    page = await visit.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    await page.goto(url)
    try:
        yield Chat(page)
    finally:
        await visit.close()
    assert faults == []
