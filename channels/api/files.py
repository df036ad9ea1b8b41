"""Fetching files whose addresses come from outside, without being led into our own network.

The name is resolved once, every address it has is judged, and the connection goes to the judged
address: a name that answers differently the second time gains nothing. Redirects are not followed.
"""

import asyncio
import socket
from urllib.parse import SplitResult, urlsplit

import httpx

from channels.addresses import is_public
from channels.base import Gone, Http, RetryLater
from channels.http import client_options


async def fetch(url: str, http: Http, *, limit: int, allow_private: bool) -> tuple[bytes, str]:
    """Bytes and MIME type of `url`; raises `Gone` for good and `RetryLater` for now."""
    parts, host, port = _split(url)
    address = await _address(host, port, allow_private=allow_private)
    options = client_options(http) | {"follow_redirects": False}
    try:
        async with asyncio.timeout(http.timeout), httpx.AsyncClient(**options) as client:
            return await _read(client, _request(client, parts, host, address, port), limit)
    except httpx.TransportError as error:
        raise RetryLater(f"The file could not be fetched ({type(error).__name__})", code="fetch") from None
    except (TimeoutError, OSError) as error:
        raise RetryLater(f"The file could not be fetched ({type(error).__name__})", code="fetch") from None


def _split(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Gone("the file's address is malformed") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Gone("the file's address is not a web address")
    return parts, host, port


async def _address(host: str, port: int, *, allow_private: bool) -> str:
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RetryLater("The host of the file cannot be found", code="fetch") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise Gone("the file's address leads into a private network")
    return addresses[0]


def _request(
    client: httpx.AsyncClient, parts: SplitResult, host: str, address: str, port: int
) -> httpx.Request:
    target = httpx.URL(parts.geturl()).copy_with(host=address, port=port, userinfo=b"", fragment=None)
    named = f"[{host}]" if ":" in host else host
    usual = 443 if parts.scheme == "https" else 80
    header = named if port == usual else f"{named}:{port}"
    return client.build_request("GET", target, headers={"Host": header}, extensions={"sni_hostname": host})


async def _read(client: httpx.AsyncClient, request: httpx.Request, limit: int) -> tuple[bytes, str]:
    answer = await client.send(request, stream=True)
    try:
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
            raise RetryLater(f"The file's server answered {answer.status_code}", code="fetch")
        if answer.status_code != 200:
            raise Gone(f"the file's server answered {answer.status_code}")
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > limit:
                raise Gone("the file is larger than the limit")
        mime = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return bytes(body), mime or "application/octet-stream"
    finally:
        await answer.aclose()
