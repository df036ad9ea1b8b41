"""OAuth2 instead of passwords: tokens are asked for, kept, renewed, and shown to IMAP and SMTP."""

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from channels.base import DeliveryError, Rejected, RetryLater, Unauthorized
from channels.email import oauth
from channels.email.adapter import EmailAdapter
from tests.channels.mail import ADDRESS, adapter, outgoing
from tests.helpers import eventually


class Provider(ThreadingHTTPServer):
    """A token endpoint; each token it gives is another, `good` are those that servers take."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, str]] = []
        self.good: set[str] = set()
        self.answer: tuple[int, Any] | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/token"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append({name: values[0] for name, values in form.items()})
        token = f"token{len(self.server.asked)}"
        status, body = self.server.answer or (200, {"access_token": token, "expires_in": 3600})
        self.server.good.add(token)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    oauth._kept.clear()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Servers:
    """IMAP and SMTP that take nothing but XOAUTH2 with a good token."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.refused = 0
        self.mails: list[bytes] = []
        self.ports: list[int] = []
        self.open: set[asyncio.StreamWriter] = set()

    def takes(self, encoded: bytes) -> bool:
        user, bearer, *_ = base64.b64decode(encoded).decode().split("\x01")
        token = bearer.removeprefix("auth=Bearer ")
        good = user == f"user={ADDRESS}" and token in self.provider.good
        self.refused += not good
        return good

    async def imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        writer.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready\r\n")
        while line := await reader.readline():
            tag, command, *rest = line.split()
            if command == b"AUTHENTICATE":
                if len(rest) < 2:
                    writer.write(b"+ \r\n")
                    rest.append((await reader.readline()).strip())
                writer.write(
                    tag + (b" OK in\r\n" if self.takes(rest[1]) else b" NO [AUTHENTICATIONFAILED] no\r\n")
                )
            elif command in (b"SELECT", b"EXAMINE"):
                writer.write(
                    b"* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 4] x\r\n" + tag + b" OK done\r\n"
                )
            elif command == b"CAPABILITY":
                writer.write(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n" + tag + b" OK done\r\n")
            else:
                writer.write(tag + b" OK done\r\n")
        writer.close()
        self.open.discard(writer)

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        writer.write(b"220 mx.test\r\n")
        while line := await reader.readline():
            command = line.split()[0].upper()
            if command == b"EHLO":
                writer.write(b"250-mx.test\r\n250 AUTH XOAUTH2\r\n")
            elif command == b"AUTH":
                writer.write(b"235 in\r\n" if self.takes(line.split()[2]) else b"535 5.7.8 no\r\n")
            elif command == b"DATA":
                writer.write(b"354 go\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 taken\r\n")
            else:
                writer.write(b"250 fine\r\n")
        writer.close()
        self.open.discard(writer)


@pytest_asyncio.fixture
async def servers(provider: Provider) -> AsyncIterator[Servers]:
    servers = Servers(provider)
    listening = [await asyncio.start_server(way, "127.0.0.1", 0) for way in (servers.imap, servers.smtp)]
    servers.ports = [one.sockets[0].getsockname()[1] for one in listening]
    yield servers
    for one in listening:
        one.close()
    await eventually(lambda: not servers.open)


def connected(servers: Servers, **settings: Any) -> EmailAdapter:
    values = {
        "auth": "google", "oauth_client_id": "app", "oauth_client_secret": "hush",
        "oauth_refresh_token": "r1", "oauth_url": servers.provider.url,
        "imap_port": servers.ports[0], "imap_tls": "none", "smtp_port": servers.ports[1], "smtp_tls": "none",
    }  # fmt: skip
    return adapter(**(values | settings))


async def test_one_token_signs_in_to_both_servers_and_is_kept(provider: Provider, servers: Servers) -> None:
    box = connected(servers)
    await box.check()
    await box.send(outgoing())
    assert len(servers.mails) == 1
    assert provider.asked == [
        {"grant_type": "refresh_token", "client_id": "app", "client_secret": "hush", "refresh_token": "r1"}
    ]


async def test_a_refused_token_is_asked_for_anew_once(provider: Provider, servers: Servers) -> None:
    box = connected(servers)
    await box.check()
    provider.good.clear()  # the provider has withdrawn it before its time
    await box.send(outgoing())
    assert (len(provider.asked), servers.refused, len(servers.mails)) == (2, 1, 1)
    provider.good.clear()
    await box.check()
    provider.answer = (200, {"access_token": "never good"})
    provider.good.clear()
    with pytest.raises(Unauthorized) as caught:
        await box.check()
    assert "never good" not in str(caught.value)
    assert len(provider.asked) == 4


async def test_many_at_once_ask_for_one_token(provider: Provider, servers: Servers) -> None:
    box = connected(servers)
    tokens = await asyncio.gather(*(asyncio.to_thread(oauth.access_token, box.settings) for _ in range(12)))
    assert set(tokens) == {"token1"}
    assert len(provider.asked) == 1


async def test_a_newer_refresh_token_is_used_next(provider: Provider, servers: Servers) -> None:
    box = connected(servers, auth="microsoft")
    provider.answer = (200, {"access_token": "a", "expires_in": "3599", "refresh_token": "r2"})
    oauth.access_token(box.settings)
    oauth.access_token(box.settings, refused="a")
    assert [one["refresh_token"] for one in provider.asked] == ["r1", "r2"]
    assert "IMAP.AccessAsUser.All" in provider.asked[0]["scope"]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((400, {"error": "invalid_grant", "error_description": "r1 hush"}), Unauthorized, "oauth_revoked"),
        ((401, {"error": "invalid_client"}), Unauthorized, "oauth_client"),
        ((503, b"<html>busy"), RetryLater, "oauth_busy"),
        ((429, {"error": "slow_down"}), Unauthorized, ""),
        ((404, b"nothing"), Rejected, "oauth_refused"),
        ((200, b"not json"), Rejected, "oauth_refused"),
        ((200, []), Rejected, "oauth_refused"),
    ],
)
async def test_refusals_say_what_to_do_and_no_secret(
    provider: Provider, servers: Servers, answer: Any, kind: type[DeliveryError], code: str
) -> None:
    box = connected(servers)
    provider.answer = answer
    for call in (box.check(), box.send(outgoing())):
        with pytest.raises(DeliveryError) as caught:
            await call
        if answer[0] == 429:
            assert isinstance(caught.value, RetryLater)
            continue
        assert (type(caught.value), caught.value.code) == (kind, code)
        assert "hush" not in caught.value.reason
        assert "r1" not in caught.value.reason


async def test_without_a_provider_it_is_tried_again(provider: Provider, servers: Servers) -> None:
    box = connected(servers, oauth_url="http://127.0.0.1:1/token")
    with pytest.raises(RetryLater) as caught:
        await box.check()
    assert caught.value.code == "oauth_connect"
