"""Pictures from the internet: on demand, through the server, which reaches nothing private."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from channels import outside
from channels.addresses import is_public
from tests.dialogs.desk import Desk
from tests.mail.conftest import Box, mail

pytestmark = pytest.mark.asyncio(loop_scope="module")
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40


@asynccontextmanager
async def site(monkeypatch: pytest.MonkeyPatch, answers: dict[str, bytes]) -> AsyncIterator[list[str]]:
    """`pictures.test`: a web server on a port of its own that the guard is told to take for public."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        asked.append(path)
        writer.write(answers.get(path, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolve(host: str, wanted: int) -> list[str]:
        if host == "pictures.test":
            return ["127.0.0.1"]
        return await real(host, wanted)

    real = outside.resolve
    monkeypatch.setattr(outside, "PORTS", {80, 443, port})
    monkeypatch.setattr(outside, "resolve", resolve)
    answers.setdefault("port", str(port).encode())
    async with server:
        yield asked


def ok(body: bytes, mime: str = "image/png") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def moved(where: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "fe80::1%eth0",
    ],
)  # fmt: skip
async def test_addresses_that_are_not_of_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4010::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
async def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://localhost/x", "http://[::1]/x", "http://0x7f000001/x",
        "http://2130706433/x", "http://127.1/x", "http://[::ffff:127.0.0.1]/", "file:///etc/passwd",
        "ftp://8.8.8.8/", "http://8.8.8.8:5432/", "http://user:word@8.8.8.8/", "gopher://8.8.8.8/", "http://",
        "http://\x00/", "//8.8.8.8/x", "https://[::ffff:a9fe:a9fe]/latest/meta-data",
    ],
)  # fmt: skip
async def test_private_and_odd_addresses_are_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no(*_: Any) -> Any:
        raise AssertionError("connected")

    monkeypatch.setattr(outside.httpcore.AnyIOBackend, "connect_tcp", no)
    with pytest.raises(outside.Unfetchable):
        await outside.fetch(url, limit=1000)


async def test_a_name_that_changes_its_mind_is_reached_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would be ours; there is no second question."""
    asked: list[str] = []

    async def answers(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def connect(self: Any, host: str, port: int, **_: Any) -> Any:
        reached.append(host)
        raise outside.httpcore.ConnectError

    reached: list[str] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answers)
    monkeypatch.setattr(outside.httpcore.AnyIOBackend, "connect_tcp", connect)
    with pytest.raises(outside.Unfetchable):
        await outside.fetch("http://rebinding.test/x", limit=1000)
    assert (asked, reached) == (["rebinding.test"], ["8.8.8.8"])


async def test_one_private_answer_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answers(host: str, port: int, **_: Any) -> Any:
        return [(2, 1, 6, "", (address, port)) for address in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answers)
    with pytest.raises(outside.Unfetchable):
        await outside.resolve("two.test", 80)


async def test_a_picture_is_fetched_on_demand(desk: Desk, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/logo.png?a=1&b=2": ok(PNG),
        "/evil.png": ok(b"<svg onload=alert(1)>", "image/png"),
        "/page.png": ok(b"<html><script>alert(1)</script>", "image/png"),
        "/moved.png": moved("/logo.png?a=1&b=2"),
        "/inside.png": moved("http://127.0.0.1/secret"),
        "/round.png": moved("/round.png"),
        "/large.png": ok(PNG + b"0" * (6 << 20)),
    }
    async with site(monkeypatch, answers) as asked:
        base = f"http://pictures.test:{answers['port'].decode()}"
        urls = {path: base + path for path in answers if path.startswith("/")}
        page = "".join(f'<img src="{url.replace("&", "&amp;")}">' for url in urls.values())
        row = await box.gets(mail("Hello", html=f"<p>Hello</p>{page}", headers={"To": box.address}))
        assert row is not None

        async def get(url: str, who: Any = desk.anna) -> Any:
            return await who.get(f"/messages/{row['id']}/picture?url={quote(url, safe='')}")

        assert asked == [], "something was fetched before anybody asked"
        answer = await get(urls["/logo.png?a=1&b=2"])
        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["content-type"] == "image/png"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert (await get(urls["/moved.png"])).content == PNG
        statuses = [(await get(urls[path])).status_code for path in ("/evil.png", "/page.png")]
        assert statuses == [404, 404], "what is no picture was given out"
        for path in ("/inside.png", "/round.png", "/large.png"):
            assert (await get(urls[path])).json()["code"] == "unfetchable", path
        count = len(asked)
        assert (await get(f"{base}/other.png")).status_code == 404
        assert (await get(urls["/logo.png?a=1&b=2"], desk.boris)).status_code == 404
        assert len(asked) == count, "asked for what the mail does not show, or for a stranger"


async def test_the_mail_as_it_came(desk: Desk, box: Box) -> None:
    payload = mail("Hello", headers={"To": box.address, "Message-ID": "<raw@customer.test>"})
    row = await box.gets(payload)
    assert row is not None
    answer = await desk.anna.get(f"/messages/{row['id']}/raw")
    assert answer.content == payload
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''message-")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (await desk.boris.get(f"/messages/{row['id']}/raw")).status_code == 404
