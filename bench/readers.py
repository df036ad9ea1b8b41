"""The cheapest consoles: websocket clients that say hello and keep or count what comes."""

import asyncio
import base64
import os
import resource
import struct
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

_AT_ONCE = 50


class Reader(asyncio.Protocol):
    """Counts the bytes that come after the handshake."""

    def __init__(self, path: str, headers: str, host: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        ).encode()
        self.bytes = 0
        self.last = 0.0
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        if not self.ready.done() and b"\r\n\r\n" in data:
            self.ready.set_result(data.startswith(b"HTTP/1.1 101"))
            data = data.split(b"\r\n\r\n", 1)[1]
        if data:
            self.last = time.perf_counter()
            self.take(data)

    def take(self, data: bytes) -> None:
        self.bytes += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_result(False)
        if not self.lost.done():
            self.lost.set_result(None)


class Keeper(Reader):
    """Keeps all frames and when each had come, to be looked at afterwards."""

    def __init__(self, path: str, headers: str, host: str) -> None:
        super().__init__(path, headers, host)
        self._parts: list[bytes] = []
        self._ends: list[int] = []
        self._times: list[float] = []

    def take(self, data: bytes) -> None:
        super().take(data)
        self._parts.append(data)
        self._ends.append(self.bytes)
        self._times.append(self.last)

    def frames(self) -> Iterator[tuple[float, bytes]]:
        """When the last byte of each text frame came, and its payload."""
        data, at = b"".join(self._parts), 0
        while at + 2 <= len(data):
            opcode, size = data[at] & 15, data[at + 1] & 127
            at += 2
            if size == 126:
                (size,) = struct.unpack_from("!H", data, at)
                at += 2
            elif size == 127:
                (size,) = struct.unpack_from("!Q", data, at)
                at += 8
            if at + size > len(data):
                return
            if opcode == 1:
                yield self._times[bisect_left(self._ends, at + size)], data[at : at + size]
            at += size


Kind = TypeVar("Kind", bound=Reader)


def many_files() -> None:
    """Allow this process and those it starts as many sockets as the system lets them have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def connect(
    kind: Callable[[str, str, str], Kind], address: str, path: str, headers: Sequence[str]
) -> list[Kind]:
    """A reader for each of `headers` (lines with their ends), some of them at once."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    host, port = parts.hostname, parts.port
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(lines: str) -> Kind:
        async with gate, asyncio.timeout(120):
            _, reader = await asyncio.get_running_loop().create_connection(
                lambda: kind(path, lines, parts.netloc), host, port
            )
            if not await reader.ready:
                raise RuntimeError("the socket was refused")
            return reader

    return list(await asyncio.gather(*(one(lines) for lines in headers)))


async def cursor(address: str, token: str) -> str:
    """Where the log is now."""
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}) as client:
        found: str = (await client.get("/api/v1/sync")).json()["cursor"]
        return found


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}\r\n"


async def settled(readers: Sequence[Reader], expected: int) -> float:
    """When the last reader had `expected` bytes."""
    for _ in range(6000):
        if all(reader.bytes >= expected for reader in readers):
            return max(reader.last for reader in readers)
        await asyncio.sleep(0.01)
    short = sum(reader.bytes < expected for reader in readers)
    raise RuntimeError(f"{short} of {len(readers)} readers did not get everything")


async def greeted(readers: Sequence[Reader], *, quiet: float = 0.5) -> None:
    """Wait until each has had something and nothing more came for `quiet` seconds."""
    while True:
        before = sum(reader.bytes for reader in readers)
        await asyncio.sleep(quiet)
        if before == sum(reader.bytes for reader in readers) and all(reader.bytes for reader in readers):
            return


def close(readers: Sequence[Reader]) -> None:
    for reader in readers:
        reader.transport.abort()
