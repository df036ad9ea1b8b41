"""The HTTP client of adapters: which failure means what, proxies, certificates, silence about addresses."""

import asyncio
import datetime
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.base import Gone, Http, OutcomeUnknown, Rejected, RetryLater
from channels.http import HttpClient, retry_after
from channels.text import clean, load_json, split, units

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A raw server; yields its port."""

    async def safe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(safe, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def client(**http: object) -> AsyncIterator[HttpClient]:
    client = HttpClient(Http.model_validate({"timeout": 1} | http), base_url="http://unused.invalid")
    try:
        yield client
    finally:
        await client.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(OK)
    await writer.drain()


async def cutting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    writer.write(b"this is not HTTP\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize("handler", [cutting, silent, half, garbage])
async def test_a_failure_after_writing_is_unknown_unless_repeating_is_safe(handler: Handler) -> None:
    async with serving(handler) as port, client() as http:
        with pytest.raises(OutcomeUnknown):
            await http.request("POST", f"http://127.0.0.1:{port}/", data={"a": "b"})
        with pytest.raises(RetryLater):
            await http.request("POST", f"http://127.0.0.1:{port}/", data={"a": "b"}, safe=True)


async def test_a_failure_before_writing_may_be_retried() -> None:
    async with serving(good) as port:
        pass
    async with client() as http:
        for url in (f"http://127.0.0.1:{port}/", "http://no-such-host.invalid/", "http://[bad/", "ftp://x/"):
            with pytest.raises(RetryLater):
                await http.request("POST", url, data={"a": "b"})


async def test_a_host_that_never_finishes_tls_was_told_nothing() -> None:
    async with serving(silent) as port, client(timeout=0.5) as http:
        with pytest.raises(RetryLater):
            await http.request("POST", f"https://127.0.0.1:{port}/", data={"a": "b"})


async def test_files_have_a_limit() -> None:
    async with serving(good) as port, client() as http:
        url = f"http://127.0.0.1:{port}/"
        assert (await http.request("GET", url, limit=2)).body == b"ok"
        with pytest.raises(Gone):
            await http.request("GET", url, limit=1)


# --- proxies --------------------------------------------------------------------------------


async def test_requests_go_through_the_proxy() -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await head(reader)).split(b"\r\n")[0])
        writer.write(OK)
        await writer.drain()

    async with serving(proxy) as port, client(proxy=f"http://user:pass@127.0.0.1:{port}") as http:
        answer = await http.request("GET", "http://platform.invalid/x")
        assert answer.body == b"ok"
        assert seen == [b"GET http://platform.invalid/x HTTP/1.1"]


@pytest.mark.parametrize("reply", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b""])
async def test_a_proxy_that_opens_no_tunnel_has_sent_nothing(reply: bytes) -> None:
    """CONNECT is not the request: the platform has seen nothing."""

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(reply)
        await writer.drain()
        if not reply:
            await reader.read()

    async with serving(proxy) as port, client(proxy=f"http://127.0.0.1:{port}", timeout=0.5) as http:
        with pytest.raises(RetryLater):
            await http.request("POST", "https://platform.invalid/", data={"a": "b"})


async def test_socks_proxies_work() -> None:
    asked: list[bytes] = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        await reader.readexactly(4)
        asked.append(await reader.readexactly((await reader.readexactly(1))[0]))
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await good(reader, writer)

    async with serving(socks) as port, client(proxy=f"socks5://127.0.0.1:{port}") as http:
        assert (await http.request("GET", "http://platform.invalid/")).body == b"ok"
        assert asked == [b"platform.invalid"]


async def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with serving(good) as port, client() as http:
        assert (await http.request("GET", f"http://127.0.0.1:{port}/")).body == b"ok"


@pytest.mark.parametrize("proxy", ["nonsense", "gopher://x"])
async def test_a_wrong_proxy_is_said(proxy: str) -> None:
    async with client(proxy=proxy) as http:
        with pytest.raises(Rejected) as error:
            await http.request("GET", "http://127.0.0.1:9/")
        assert error.value.code == "proxy"


# --- certificates ---------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate nobody trusts by default: its PEM file and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    certificate = tmp_path / "ca.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = tmp_path / "key.pem"
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context


async def test_certificates_are_checked_against_the_bundle(authority: tuple[Path, ssl.SSLContext]) -> None:
    bundle, context = authority
    async with serving(good, context) as port:
        url = f"https://localhost:{port}/"
        async with client(ca_bundle=str(bundle)) as http:
            assert (await http.request("GET", url)).body == b"ok"
        async with client() as http:
            with pytest.raises(RetryLater):
                await http.request("POST", url, data={"a": "b"})


@pytest.mark.parametrize("content", [None, "not PEM"])
async def test_an_unusable_bundle_is_said(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "missing.pem"
    if content is not None:
        path.write_text(content)
    async with client(ca_bundle=str(path)) as http:
        with pytest.raises(Rejected) as error:
            await http.request("GET", "http://127.0.0.1:9/")
        assert error.value.code == "ca_bundle"


# --- the rest -------------------------------------------------------------------------------


async def test_addresses_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(good) as port, client() as http:
        await http.request("GET", f"http://127.0.0.1:{port}/bot123:SECRET/getMe")
        with pytest.raises(RetryLater) as error:
            await http.request("GET", "http://127.0.0.1:1/bot123:SECRET/getMe")
    assert "SECRET" not in caplog.text + repr(error.value) + repr(http)


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("", 3), ("Wed, 21 Oct", 3), ("-5", 3), ("99999", 3600)]
)
def test_retry_after_is_read_with_care(value: str, seconds: int) -> None:
    from channels.http import Answer

    assert retry_after(Answer(429, b"", {"retry-after": value}), 3).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "short", "😀" * 10, "слово " * 9, "a" * 7 + "\n" + "b" * 30, " " * 40, "é" * 21]
)
def test_split_cuts_nothing_in_two(text: str) -> None:
    parts = split(text, 10)
    assert all(0 < units(part) <= 10 for part in parts)
    assert "".join(parts).split() == text.split() or "".join("".join(parts).split()) == "".join(text.split())
    assert all(clean(part) == part for part in parts)


def test_split_prefers_line_ends_then_spaces() -> None:
    assert split("aaaa bbb\ncc dd ee", 12) == ["aaaa bbb\n", "cc dd ee"]
    assert split("aaaa bbbb cccc", 12) == ["aaaa bbbb ", "cccc"]


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": 1' + "0" * 30 + "}", "[" * 5000, "{", ""])
def test_what_no_column_holds_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        load_json(text.encode())


def test_json_strings_are_cleaned_everywhere() -> None:
    assert load_json(b'{"a\\u0000": ["\\ud83d", "\\ud83d\\ude00"]}') == {"a": ["\ufffd", "😀"]}
