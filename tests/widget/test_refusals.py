"""What strangers and mistakes get: a clear answer, nothing stored half, nothing of others."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.core import clock
from app.core.secrets import Box
from app.web.widget_limits import Limits, Rate
from app.web.widget_visitors import Visitor as Claims
from app.web.widget_visitors import token as make_token
from dialogs.file_store import clean_name
from dialogs.models import Attachment, Dialog, Identity, Message
from tests.helpers import eventually
from tests.widget.site import PNG, Site, Visitor


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status_code, answer.json()["code"]


async def test_an_unknown_chat_is_not_found(site: Site) -> None:
    other = await site.add_channel(kind="api")
    for id in (uuid4(), other):
        assert code(await site.http.post(site.path("session", id), json={})) == (404, "not_found")
    assert code(await site.http.post(site.path("session", "nonsense"), json={})) == (422, "malformed")


async def test_a_paused_chat_says_so(site: Site) -> None:
    visitor = await site.visitor()
    await site.change_channel(state="paused")
    assert code(await site.http.post(site.path("session"), json={})) == (403, "channel_paused")
    assert code(await visitor.post("hello")) == (403, "channel_paused")
    assert code(await visitor.upload("a.txt", b"text")) == (403, "channel_paused")
    assert await _closed(site, visitor.token) == 4403
    assert await site.raw() == []


async def _closed(site: Site, token: str | None) -> int:
    """The code a websocket is closed with."""
    url = site.url.replace("http", "ws") + site.path("live") + (f"?token={token}" if token else "")
    async with connect(url) as socket:
        if token is None:
            await socket.send("{}")
        return await _ended(socket)


async def _ended(socket: ClientConnection) -> int:
    """Listen to the end; the code it came with."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


async def test_a_wrong_token_opens_nothing(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("mine")
    body, _, signature = visitor.token.partition(".")
    elsewhere = make_token(Box(b"k" * 32), uuid4(), Claims(visitor.id))
    stolen_key = make_token(Box(b"x" * 32), site.channel_id, Claims(visitor.id))
    wrong = (
        "",
        "x",
        "..",
        f"{body}.",
        f"{body}x.{signature}",
        f"{body}.{signature[::-1]}",
        elsewhere,
        stolen_key,
    )
    for token in (*wrong, "a" * 5000):
        headers = {"X-Otklik-Visitor": token}
        for call in (
            site.http.get(site.path("messages"), headers=headers),
            site.http.post(
                site.path("messages"), headers=headers, json={"client_key": str(uuid4()), "text": "x"}
            ),
            site.http.post(site.path("files"), headers=headers, files={"file": ("a", b"a")}),
            site.http.get(site.path(f"files/{uuid4()}"), headers=headers),
        ):
            assert code(await call) == (401, "unauthenticated"), token
    assert code(await site.http.post(site.path("session"), json={"token": "x.y"})) == (401, "unauthenticated")
    assert await _closed(site, "x.y") == 4401
    assert await _closed(site, None) == 4401


async def test_the_websocket_takes_any_origin_and_the_token_in_the_address(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("hello")
    url = site.url.replace("http", "ws") + site.path(f"live?token={visitor.token}&after=0")
    async with connect(url, origin="https://elsewhere.test") as socket:  # type: ignore[arg-type]
        assert "hello" in str(await socket.recv())


async def test_any_page_may_call_without_cookies(site: Site) -> None:
    asked = {"Origin": "https://shop.test", "Access-Control-Request-Method": "POST"}
    answer = await site.http.options(site.path("session"), headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-Otklik-Visitor" in answer.headers["access-control-allow-headers"]
    answer = await site.http.post(site.path("session"), json={}, headers={"Origin": "https://shop.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": "x" * 8001}, (413, "too_large")),
        ({"text": "  \n "}, (400, "invalid")),
        ({"text": "a\x00b"}, (400, "invalid")),
        ({"text": "a", "page": "http://a\x00"}, (400, "invalid")),
        ({"text": "a", "client_key": "17"}, (422, "malformed")),
        ({"text": 17}, (422, "malformed")),
        ({"text": "a", "attachment_ids": ["x"]}, (422, "malformed")),
        ({"text": "a", "attachment_ids": [str(uuid4())]}, (400, "invalid")),
        ({"text": "a", "attachment_ids": [str(uuid4())] * 11}, (422, "malformed")),
    ],
)
async def test_a_bad_message_is_refused(site: Site, body: dict[str, Any], expected: tuple[int, str]) -> None:
    visitor = await site.visitor()
    body = {"client_key": str(uuid4()), **body}
    answer = await site.http.post(site.path("messages"), json=body, headers=visitor.headers)
    assert code(answer) == expected
    assert await site.raw() == []


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"\xff\xfe", b'{"client_key": "\\ud800"}', b'{"text": "\\ud800"}', b"null"]
)
async def test_what_is_no_message_is_malformed(site: Site, raw: bytes) -> None:
    visitor = await site.visitor()
    headers = visitor.headers | {"Content-Type": "application/json"}
    answer = await site.http.post(site.path("messages"), content=raw, headers=headers)
    assert code(answer) == (422, "malformed")


async def test_a_lone_surrogate_in_the_text_does_no_harm(site: Site) -> None:
    visitor = await site.visitor()
    raw = f'{{"client_key": "{uuid4()}", "text": "a\\ud800b"}}'
    headers = visitor.headers | {"Content-Type": "application/json"}
    answer = await site.http.post(site.path("messages"), content=raw, headers=headers)
    assert answer.status_code == 201
    await site.understand()
    assert [message.text for message in await site.thread()] == ["a?b"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a\x00"},
        {"name": "n" * 201},
        {"email": "nobody"},
        {"email": "a@b c"},
        {"locale": "<script>"},
        {"link_token": "a b"},
        {"link_token": "x" * 201},
        {"token": 5},
    ],
)
async def test_a_bad_session_is_malformed(site: Site, body: dict[str, Any]) -> None:
    assert code(await site.http.post(site.path("session"), json=body)) == (422, "malformed")


async def test_html_stays_text(site: Site) -> None:
    text = "<script>alert(1)</script><b>bold</b> &amp;"
    visitor = await site.visitor(name="<img src=x onerror=alert(1)>")
    await visitor.write(text)
    (message,) = await visitor.history()
    assert message["text"] == text
    (stored,) = await site.thread()
    assert (stored.text, stored.html) == (text, None)


async def test_a_visitor_reads_nothing_but_his_own(site: Site) -> None:
    """Notes, system lines, other visitors, other channels of the same customer: all stay hidden."""
    visitor, other = await site.visitor(), await site.visitor()
    await visitor.write("mine")
    await other.write("somebody else's")
    await site.answer(visitor, "staff only", direction="note")
    await site.answer(other, "to the other")
    await _same_customer_elsewhere(site, visitor)
    assert [message["text"] for message in await visitor.history()] == ["mine"]
    async with visitor.live() as live:
        assert [message["text"] for message in await live.next()] == ["mine"]
    back = await site.visitor(token=visitor.token)
    assert [message["text"] for message in back.session["messages"]] == ["mine"]


async def _same_customer_elsewhere(site: Site, visitor: Visitor) -> None:
    """His mail, an answer to it, a system line, and a chat on a second site with the same visitor id."""
    second = await site.add_channel()
    async with site.db.transaction() as session:
        known = (await session.scalars(select(Identity).where(Identity.external_id == visitor.id))).one()
        dialog = (await session.scalars(select(Dialog).where(Dialog.customer_id == known.customer_id))).one()
        mail = Identity(
            customer_id=known.customer_id, scope="email", external_id="v@example.test", kind="email"
        )
        twin = Identity(
            customer_id=known.customer_id, scope=str(second), external_id=visitor.id, kind="webchat"
        )
        session.add_all([mail, twin])
        await session.flush()
        ids = {"customer_id": known.customer_id, "dialog_id": dialog.id}
        out = {"direction": "out", "status": "sent", "sent_at": clock.now()}
        session.add_all(
            [
                Message(**ids, direction="in", text="mail", identity_id=mail.id, channel_id=second, chat="t"),
                Message(
                    **ids,
                    **out,
                    text="to mail",
                    identity_id=mail.id,
                    channel_id=site.channel_id,
                    chat=visitor.id,
                ),
                Message(
                    **ids, **out, text="to twin", identity_id=twin.id, channel_id=second, chat=visitor.id
                ),
                Message(
                    **ids, direction="system", text="system", identity_id=known.id, channel_id=site.channel_id
                ),
            ]
        )


async def test_files_are_taken_with_the_message(site: Site) -> None:
    visitor = await site.visitor()
    upload = (await visitor.upload("cat.png", PNG, "text/html")).json()
    assert (upload["kind"], upload["mime"], upload["name"]) == ("image", "image/png", "cat.png")
    sent = await visitor.write("look", attachment_ids=[upload["id"]])
    assert [file["id"] for file in sent["attachments"]] == [upload["id"]]
    (message,) = await visitor.history()
    (file,) = message["attachments"]
    answer = await site.http.get(file["url"], headers=visitor.headers)
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")
    assert (await site.http.get(file["url"], params={"token": visitor.token})).status_code == 200
    async with site.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Attachment)) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("a.html", b"<script>alert(1)</script>"),
        ("a.png", b"<html><script>alert(1)</script>"),
        ("a.pdf", b"%PDF-1.7 script"),
        ("a.js", b"alert(1)"),
    ],
)
async def test_what_could_run_is_only_downloaded(site: Site, name: str, data: bytes) -> None:
    visitor = await site.visitor()
    upload = (await visitor.upload(name, data, "image/png")).json()
    answer = await site.http.get(upload["url"], headers=visitor.headers)
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_files_of_others_are_not_there(site: Site) -> None:
    visitor, other = await site.visitor(), await site.visitor()
    waiting = (await visitor.upload("a.txt", b"waiting")).json()
    sent = (await visitor.upload("b.txt", b"sent")).json()
    await visitor.write("mine", attachment_ids=[sent["id"]])
    (message,) = await visitor.history()
    for url in (waiting["url"], message["attachments"][0]["url"]):
        assert (await site.http.get(url, headers=visitor.headers)).status_code == 200
        assert code(await site.http.get(url, headers=other.headers)) == (404, "not_found")
        assert code(await site.http.get(url)) == (401, "unauthenticated")
    taken = await other.post("yours", attachment_ids=[waiting["id"]])
    assert code(taken) == (400, "invalid")


async def test_too_large_and_broken_uploads_are_refused(site: Site) -> None:
    await site.change_channel(settings={"max_file_mb": 1})
    visitor = await site.visitor()
    assert visitor.session["settings"]["max_file_bytes"] == 1024 * 1024
    assert code(await visitor.upload("a", b"x" * (1024 * 1024 + 1))) == (413, "too_large")
    assert code(await visitor.upload("a", b"x" * (4 * 1024 * 1024))) == (413, "too_large")
    assert code(await visitor.upload("a", b"")) == (400, "invalid")
    url = site.path("files")
    assert code(await site.http.post(url, headers=visitor.headers, json={})) == (400, "invalid")
    broken = visitor.headers | {"Content-Type": "multipart/form-data"}
    assert code(await site.http.post(url, headers=broken, content=b"junk")) == (400, "invalid")
    assert code(await site.http.post(url, headers=visitor.headers, data={"a": "b"}, files={"x": b"1"})) == (
        400,
        "invalid",
    )
    async with site.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Attachment)) == 0
    assert (await visitor.upload("a", b"x" * 1024 * 1024)).status_code == 201


async def test_an_endless_upload_is_cut_off(site: Site) -> None:
    await site.change_channel(settings={"max_file_mb": 1})
    visitor = await site.visitor()
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 64:
            sent += 1
            yield b"x" * 256 * 1024

    headers = visitor.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = await site.http.post(site.path("files"), headers=headers, content=endless())
        assert code(answer) == (413, "too_large")
    except httpx.WriteError:
        pass  # the server closed the connection while we wrote
    async with site.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Attachment)) == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\cat.png", "cat.png"),
        ("a\x00b\n.txt", "ab.txt"),
        ("cat\u202egnp.exe", "catgnp.exe"),
        ("", "file"),
        ("...", "..."),
        ("x" * 300 + ".pdf", "x" * 140 + ".pdf"),
        ("отчёт.docx", "отчёт.docx"),
    ],
)
def test_names_of_files_are_harmless(given: str, kept: str) -> None:
    assert clean_name(given) == kept


async def test_who_is_too_quick_has_to_wait(site: Site) -> None:
    visitor, other = await site.visitor(), await site.visitor()
    site.app.state.widget_limits = Limits()
    site.app.state.widget_limits.visitor["message"] = Rate(3, 0.1)
    answers = [await visitor.post(str(number)) for number in range(4)]
    assert [answer.status_code for answer in answers[:3]] == [201] * 3
    assert code(answers[3]) == (429, "too_many_requests")
    assert int(answers[3].headers["retry-after"]) >= 1
    assert "retry-after" in answers[3].headers["access-control-expose-headers"].lower()
    assert (await other.post("another visitor")).status_code == 201


async def test_an_address_has_a_limit_over_all_its_visitors(site: Site) -> None:
    site.app.state.widget_limits = Limits()
    site.app.state.widget_limits.address["session"] = Rate(3, 0.1)
    answers = [await site.http.post(site.path("session"), json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_buckets_fill_again_and_are_bounded() -> None:
    time = [0.0]
    limits = Limits(
        visitor={"message": Rate(1, 1)}, address={"message": Rate(10**9, 1)}, clock=lambda: time[0]
    )
    limits.take("message", visitor="a", address="x")
    with pytest.raises(Exception, match="wait"):
        limits.take("message", visitor="a", address="x")
    time[0] = 1.1
    limits.take("message", visitor="a", address="x")
    limits._buckets._memory = 10
    for number in range(50):
        limits.take("message", visitor=str(number), address="x")
    assert len(limits._buckets) <= 12


async def test_noise_on_the_websocket_does_no_harm(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("hello")
    async with visitor.live() as live:
        await live.next()
        for noise in (
            "",
            "{",
            "[]",
            "null",
            '{"read_up_to": "x"}',
            '{"read_up_to": -1}',
            '{"read_up_to": 1e40}',
            '{"x": 1}',
        ):
            await live.socket.send(noise)
        await site.answer(visitor, "still there")
        assert [message["text"] for message in await live.next()] == ["still there"]
    assert len(await site.raw()) == 1


async def test_connections_of_one_visitor_are_counted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.widget_hub.MOST", 1)
    visitor = await site.visitor()
    async with visitor.live() as live:
        await live.next()
        assert await _closed(site, visitor.token) == 4429

    async def again() -> bool:
        async with visitor.live() as live:
            return await live.next(timeout=2) == []

    assert await eventually(again)


async def test_a_chat_that_is_paused_ends_its_connections(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.widget_live.PING", 0.1)
    monkeypatch.setattr("app.web.widget_live.LOOK", 0.1)
    visitor = await site.visitor()
    async with visitor.live() as live:
        await live.next("ping")
        await site.change_channel(state="paused")
        assert await _ended(live.socket) == 4403
