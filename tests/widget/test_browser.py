"""The site chat in a real browser, on the demo page and on a foreign site."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.helpers import eventually
from tests.widget.browser import chromium, shop, visiting, working
from tests.widget.site import PNG, Site, Visitor

STRICT = (
    "default-src 'none'; script-src {url}; frame-src {url}; style-src 'nonce-n'; "
    "require-trusted-types-for 'script'"
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture(autouse=True)
async def desk(site: Site) -> AsyncIterator[None]:
    async with working(site):
        yield


async def _visitor(site: Site) -> Visitor:
    """The one visitor who has written."""
    (message, *_) = await eventually(site.thread)
    return Visitor(site, {"visitor_id": message.chat, "token": ""})


async def test_a_newcomer_talks_on_the_demo_page(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        assert await chat.frame.evaluate("document.activeElement.dataset.testid") == "chat-text"
        await chat.by("chat-text").fill("Есть ли <b>сенча</b>?")
        await chat.by("chat-text").press("Enter")
        await chat.shows("Есть ли <b>сенча</b>?")
        visitor = await _visitor(site)
        sent = await site.answer(visitor, "Есть, https://shop.test/sencha.")
        await chat.shows("Есть ли <b>сенча</b>?", "Есть, https://shop.test/sencha.")
        link = chat.by("chat-message").last.locator("a")
        assert await link.get_attribute("href") == "https://shop.test/sencha"
        assert "noopener" in str(await link.get_attribute("rel"))
        assert await chat.frame.locator(".author").inner_text() == "Анна"
        await eventually(lambda: _status(site, sent, "read"))
        (message, *_) = await site.thread()
        assert message.meta["page"] == f"{site.url}/demo-chat"


async def _status(site: Site, id: object, wanted: str) -> bool:
    return (await site.message(id)).status == wanted  # type: ignore[arg-type]


async def test_the_history_is_there_after_a_reload(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("one")
        await chat.shows("one")
        await site.answer(await _visitor(site), "two")
        await chat.shows("one", "two")
        await chat.page.reload()
        await chat.open()
        await chat.shows("one", "two")
        assert await chat.page.context.cookies() == []


async def test_unread_answers_are_counted_on_the_button(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("question")
        await chat.shows("question")
        await chat.by("chat-close").click()
        button, badge = chat.page.get_by_test_id("chat-open"), chat.page.get_by_test_id("chat-badge")
        assert await badge.is_hidden()
        visitor = await _visitor(site)
        sent = await site.answer(visitor, "one")
        await site.answer(visitor, "two")
        await badge.get_by_text("2").wait_for()
        assert await button.get_attribute("aria-label") == "Открыть чат, новых сообщений: 2"
        await eventually(lambda: _status(site, sent, "delivered"))
        await button.click()
        await badge.wait_for(state="hidden")
        await eventually(lambda: _status(site, sent, "read"))


async def test_pictures_and_files_both_ways(site: Site, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "план.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.by("chat-files").set_input_files([tmp_path / "cat.png", tmp_path / "план.svg"])
        await chat.frame.locator(".chip:not(.busy)").nth(1).wait_for()
        await chat.by("chat-send").click()
        picture = chat.by("chat-image")
        await eventually(lambda: picture.evaluate("image => image.complete && image.naturalWidth"))
        async with chat.page.expect_download() as download:
            await chat.by("chat-file").click()
        assert (await download.value).suggested_filename == "план.svg"
        await eventually(site.thread)
        assert await chat.by("chat-message").count() == 1


async def test_a_file_too_large_is_refused_before_it_is_sent(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    await site.change_channel(settings={"max_file_mb": 1})
    (tmp_path / "big.bin").write_bytes(b"x" * (1024 * 1024 + 1))
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.by("chat-files").set_input_files(tmp_path / "big.bin")
        await chat.frame.get_by_text("Слишком большой файл").wait_for()


async def test_messages_wait_for_the_connection(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("online")
        await chat.shows("online")
        await chat.page.context.set_offline(True)
        await chat.write("offline one")
        await chat.write("offline two")
        await chat.frame.get_by_text("Ждёт связи").first.wait_for()
        await chat.frame.get_by_text("Нет связи.").wait_for()
        assert len(await site.thread()) == 1
        await chat.page.context.set_offline(False)
        await eventually(lambda: _count(site, 3), timeout=30)
        await chat.shows("online", "offline one", "offline two")
    assert [message.text for message in await site.thread()] == ["online", "offline one", "offline two"]


async def _count(site: Site, count: int) -> bool:
    return len(await site.thread()) == count


async def test_an_unsent_message_survives_the_page_and_is_not_doubled(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        # The server stores it, but its answer is lost.
        await chat.page.route("**/messages", lambda route: _lose_answer(route))
        await chat.write("once")
        await eventually(lambda: _count(site, 1))
        await chat.page.unroute_all(behavior="ignoreErrors")
        await chat.page.reload()
        await chat.open()
        await chat.shows("once")
        await eventually(
            lambda: chat.frame.evaluate("!Object.keys(localStorage).some(key => key.includes(':q:'))")
        )
        await chat.shows("once")
    assert len(await site.thread()) == 1


async def _lose_answer(route: object) -> None:
    await route.fetch()  # type: ignore[attr-defined]
    await route.abort()  # type: ignore[attr-defined]


async def test_what_the_server_refuses_can_be_tried_again(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        problem = {"status": 413, "content_type": "application/problem+json", "body": '{"code": "too_large"}'}
        await chat.page.route("**/messages", lambda route: route.fulfill(**problem))
        await chat.write("too much")
        await chat.frame.get_by_text("Не отправлено. Слишком большой файл или текст.").wait_for()
        await chat.page.unroute_all()
        await chat.by("chat-retry").click()
        await eventually(lambda: _count(site, 1))
        await chat.by("chat-retry").wait_for(state="detached")


async def test_a_strict_foreign_site_is_not_disturbed(site: Site, browser: Browser) -> None:
    """Its policy holds, its styles do not reach the chat, its page gets one element and no names."""
    async with (
        shop(site, csp=STRICT.format(url=site.url), lang="en") as url,
        visiting(browser, url, locale="en-GB") as chat,
    ):
        before = await chat.page.evaluate("document.body.children.length")
        names = await chat.page.evaluate("Object.keys(window).filter(name => /otklik/i.test(name))")
        await chat.open()
        assert names == []
        assert before >= 3
        assert await chat.by("chat-text").get_attribute("placeholder") == "Message"
        await chat.write("from abroad")
        await chat.shows("from abroad")
        await chat.by("chat-text").press("Escape")
        button = chat.page.get_by_test_id("chat-open")
        assert await button.get_attribute("aria-expanded") == "false"
        focus = "document.activeElement.shadowRoot?.activeElement?.dataset.testid"
        assert await chat.page.evaluate(focus) == "chat-open"


async def test_a_personal_link_opens_the_chat_and_leaves_the_address(site: Site, browser: Browser) -> None:
    async with shop(site) as url, visiting(browser, f"{url}/#part&otklik=one-time") as chat:
        await chat.page.get_by_test_id("chat-open").wait_for()
        await eventually(lambda: len(chat.page.frames) == 2)
        await chat.by("chat-text").wait_for()
        assert chat.page.url == f"{url}/#part"
        assert "one-time" not in chat.frame.url
    assert [row.key.split(":")[0] for row in await site.raw()] == ["link"]


async def test_a_paused_chat_shows_no_button(site: Site, browser: Browser) -> None:
    await site.change_channel(state="paused")
    async with shop(site) as url, visiting(browser, url) as chat:
        await eventually(lambda: len(chat.page.frames) == 2)
        await chat.frame.locator(".off").wait_for(state="attached")
        assert await chat.page.get_by_test_id("chat-open").is_hidden()


async def test_name_and_mail_are_asked_first_where_set(site: Site, browser: Browser) -> None:
    await site.change_channel(settings={"ask_name": "optional", "ask_email": "required"})
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("hello")
        await chat.frame.get_by_text("Нужен адрес вида").wait_for()
        await chat.by("chat-name").fill("Вера")
        await chat.by("chat-email").fill("vera@example.test")
        await chat.by("chat-send").click()
        await chat.shows("hello")
        assert await chat.by("chat-email").is_hidden()
        await eventually(site.thread)
        raw = (await site.raw())[0].payload
        assert b"vera@example.test" in raw
        assert "Вера".encode() in raw


async def test_a_forgotten_visitor_begins_anew(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        key = f"otklik:{site.channel_id}:token"
        await chat.frame.evaluate("key => localStorage.setItem(key, 'wrong.token')", key)
        await chat.page.reload()
        await chat.open()
        await chat.write("hello")
        await chat.shows("hello")


async def test_who_does_not_open_the_chat_leaves_no_trace(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.page.get_by_test_id("chat-open").wait_for()
        assert (
            await chat.frame.evaluate("Object.keys(localStorage).filter(key => key.startsWith('otklik'))")
            == []
        )
    assert await site.raw() == []


async def test_typing_dots_come_and_go(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("hello")
        await chat.shows("hello")
        visitor = await _visitor(site)
        site.app.state.lane._to_visitor(f"{site.channel_id}:{visitor.id}", {"agent_id": "x"})
        await chat.by("chat-typing").wait_for()
        await site.answer(visitor, "answer")
        await chat.shows("hello", "answer")
        assert await chat.by("chat-typing").count() == 0


async def test_a_dropped_connection_comes_back_and_misses_nothing(site: Site, browser: Browser) -> None:
    async with visiting(browser, f"{site.url}/demo-chat") as chat:
        await chat.open()
        await chat.write("hello")
        await chat.shows("hello")
        visitor = await _visitor(site)
        lines = [line for lines in site.app.state.widget_hub._lines.values() for line in lines]
        assert lines
        for line in lines:
            await line.socket.close(1012)
        await site.answer(visitor, "while away")
        await chat.shows("hello", "while away")
        await eventually(lambda: site.app.state.widget_hub._lines)
