"""Files and pictures from VK: only from VK's own hosts, never from an address inside our network."""

import asyncio
import socket
from typing import Any
from urllib.parse import urljoin, urlsplit

from channels.addresses import is_public
from channels.base import Gone, RetryLater
from channels.http import Answer, unusable
from channels.vk.client import Client

HOSTS = (
    "vk.com", "vk.ru", "vk.me", "userapi.com", "vkuser.net", "vkuseraudio.net", "vkuserphoto.ru",
    "vk-cdn.net", "mycdn.me", "okcdn.ru",
)  # fmt: skip
MAX_HOPS = 5


async def fetch(client: Client, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
    """Bytes and MIME type; raises `Gone` or a `DeliveryError`."""
    url = str(ref.get("url", ""))
    for _ in range(MAX_HOPS):
        await _check(client, url)
        answer = await client.http.request("GET", url, safe=True, limit=limit)
        if answer.status not in (301, 302, 303, 307, 308):
            return _file(answer)
        url = urljoin(url, answer.headers.get("location", ""))
    raise Gone("VK's address of the file leads nowhere")


def _file(answer: Answer) -> tuple[bytes, str]:
    if answer.status in (400, 401, 403, 404, 410):
        raise Gone("VK has the file no more")
    if answer.status != 200:
        raise unusable(answer, safe=True)
    mime = answer.headers.get("content-type", "").partition(";")[0].strip()
    if mime == "text/html":
        # Documents that expired lead to a page for people.
        raise Gone("VK shows a page instead of the file")
    return answer.body, mime or "application/octet-stream"


async def _check(client: Client, url: str) -> None:
    """Raise `Gone` unless the address is VK's; the configured base address is trusted as it is."""
    try:
        parts, base = urlsplit(url), urlsplit(client.http.base_url)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise Gone("The address of the file is wrong") from None
    if client.http.settings.base_url and (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
        return
    ours = any(host == known or host.endswith("." + known) for known in HOSTS)
    if not ours or parts.scheme != "https" or port not in (None, 443):
        raise Gone("The file does not lie with VK")
    if not client.http.settings.proxy:
        await _check_public(host)


async def _check_public(host: str) -> None:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        raise RetryLater("The host of the file cannot be found", code="connect") from None
    if not all(is_public(str(entry[4][0])) for entry in found):
        raise Gone("The address of the file lies inside the network")
