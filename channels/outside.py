"""Fetching what strangers name: only public addresses, a few redirects, little, and soon or not at all."""

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from app.core.errors import AppError
from channels.addresses import is_public

SECONDS = 10
MAX_REDIRECTS = 3
PORTS = frozenset({80, 443})


class Unfetchable(AppError):
    code, status, title = "unfetchable", 502, "What was named could not be fetched."


async def resolve(host: str, port: int) -> list[str]:
    """IP addresses of a host; none may be other than public, so that asking again gives no other answer."""
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unfetchable("There is no such server.") from None
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not addresses or not all(map(is_public, addresses)):
        raise Unfetchable("The address is not of the open internet.")
    return addresses


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was judged: a name that changes its mind changes nothing."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = (await resolve(host, port))[0]
        return await self._backend.connect_tcp(address, port, timeout=timeout, socket_options=socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise Unfetchable

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


async def fetch(url: str, *, limit: int) -> bytes:
    """The bytes at `url`, at most `limit`; raises `Unfetchable`. No cookies, no referrer, no proxy."""
    try:
        async with asyncio.timeout(SECONDS), httpcore.AsyncConnectionPool(network_backend=_Guarded()) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                found = await _ask(pool, url, limit)
                if isinstance(found, bytes):
                    return found
                url = found
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, TimeoutError, OSError):
        raise Unfetchable from None
    raise Unfetchable("It leads on and on.")


async def _ask(pool: httpcore.AsyncConnectionPool, url: str, limit: int) -> bytes | str:
    """The bytes, or where they are instead."""
    target = _target(url)
    headers = [("Host", target.netloc.decode()), ("Accept", "image/*"), ("User-Agent", "Otklik")]
    async with pool.stream("GET", str(target), headers=headers) as answer:
        fields = {name.lower(): value for name, value in answer.headers}
        if answer.status in (301, 302, 303, 307, 308) and b"location" in fields:
            return str(target.join(fields[b"location"].decode("latin-1")))
        if answer.status != 200:
            raise Unfetchable(f"The server answered {answer.status}.")
        body = bytearray()
        async for chunk in answer.aiter_stream():
            body += chunk
            if len(body) > limit:
                raise Unfetchable("It is too large.")
        return bytes(body)


def _target(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Unfetchable("This is no address.") from None
    port = target.port or (443 if target.scheme == "https" else 80)
    if target.scheme not in ("http", "https") or not target.host or target.userinfo or port not in PORTS:
        raise Unfetchable("Only plain http and https addresses are fetched.")
    return target
