"""The site chat in the whole program, and the pages it serves."""

from pathlib import Path

from app.core.config import Settings
from app.main import create_app
from tests.widget.site import Site, Visitor, serving


async def test_a_message_is_understood_by_the_program_that_took_it(
    site: Site, database_url: str, tmp_path: Path
) -> None:
    """Endpoints, inbox and feed as `create_app` puts them together; nobody lends a hand."""
    app = create_app(Settings(data_dir=tmp_path, database_url=database_url))
    async with app.router.lifespan_context(app), serving(app) as url:
        answer = await site.http.post(f"{url}{site.path('session')}", json={})
        visitor = Visitor(site, answer.json())
        site.url = url
        async with visitor.live() as live:
            assert await live.next() == []
            body = {"client_key": "6f2f9f8e-54f1-4a53-9a49-0a6f0c0c7c11", "text": "hello"}
            sent = await site.http.post(f"{url}{site.path('messages')}", json=body, headers=visitor.headers)
            assert sent.status_code == 201
            (message,) = await live.next()
            assert (message["text"], message["client_key"]) == ("hello", body["client_key"])
        for page in ("/demo-chat", "/widget/frame.html", "/widget/loader.js"):
            assert (await site.http.get(f"{url}{page}")).status_code == 200, page


async def test_the_demo_page_speaks_the_visitors_language(site: Site) -> None:
    async def page(query: str = "", language: str = "") -> str:
        answer = await site.http.get(f"/demo-chat{query}", headers={"Accept-Language": language})
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.text

    for text in (await page(language="ru-RU,ru;q=0.9"), await page("?lang=ru", "en"), await page()):
        assert '<html lang="ru">' in text
        assert "Лавка" in text
    for text in (await page(language="en-GB"), await page("?lang=en", "ru"), await page(language="de")):
        assert '<html lang="en">' in text
        assert "Tea Shop" in text
    assert "$" not in (await page()).split("</style>")[1]
    assert f'data-channel="{site.channel_id}"' in await page()


async def test_the_demo_page_shows_the_first_active_chat(site: Site) -> None:
    second = await site.add_channel()
    assert str(second) in (await site.http.get(f"/demo-chat?channel={second}")).text
    assert "<script" not in (await site.http.get(f"/demo-chat?channel={site.agent_id}")).text
    assert str(site.channel_id) in (await site.http.get("/demo-chat?channel=<x>")).text
    await site.change_channel(state="paused")
    assert str(second) in (await site.http.get("/demo-chat")).text


async def test_any_site_may_frame_the_chat_and_only_the_chat(site: Site) -> None:
    frame = await site.http.get("/widget/frame.html")
    policy = frame.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script-src 'self';" in policy
    assert "x-frame-options" not in frame.headers
    demo = await site.http.get("/demo-chat")
    assert demo.headers["x-frame-options"] == "DENY"
    assert "unsafe" not in policy
