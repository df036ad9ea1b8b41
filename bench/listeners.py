"""Consoles in a process of their own, as cheap as can be: one `epoll`, `recv`, a look at the clock, no more.

`python -m bench.listeners` reads a line of JSON `{"address", "path", "headers", "pattern"}`, prints `ready`
when all are connected and greeted, and a while after the end of its input the frames in which the pattern
is found, as a JSON list of `[when its last byte was read, what the group matched]`.
"""

import asyncio
import gc
import json
import math
import re
import select
import socket
import struct
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

_AFTERWARDS = 2.0
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
Heard = list[tuple[float, str]]


class Ear:
    """One console: what it was sent, and when."""

    def __init__(self, host: str, port: int, path: str, headers: str) -> None:
        self.line = socket.create_connection((host, port), timeout=30)
        hello = f"GET {path} HTTP/1.1\r\nHost: desk\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        hello += f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        self.line.sendall(hello.encode())
        said = b""
        while b"\r\n\r\n" not in said:
            said += self.line.recv(65536)
        if not said.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"the socket was refused: {said[:60]!r}")
        self.line.setblocking(False)
        self._parts: list[bytes] = []
        self._times: list[float] = []
        self._keep(said.split(b"\r\n\r\n", 1)[1])

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._times.append(time.perf_counter())

    def hear(self) -> None:
        data = self.line.recv(1 << 18)
        if not data:
            raise SystemExit("a console was cut off")
        self._keep(data)

    @property
    def greeted(self) -> bool:
        return len(b"".join(self._parts[:2])) > 0

    def frames(self) -> Iterator[tuple[float, bytes]]:
        """When the last byte of each text frame was read, and its payload."""
        ends, end = [], 0
        for part in self._parts:
            ends.append(end := end + len(part))
        data, at = b"".join(self._parts), 0
        while at + 2 <= len(data):
            opcode, size = data[at] & 15, data[at + 1] & 127
            at += 2
            if size >= 126:
                size, at = (
                    (struct.unpack_from("!H", data, at)[0], at + 2)
                    if size == 126
                    else (
                        struct.unpack_from("!Q", data, at)[0],
                        at + 8,
                    )
                )
            if opcode == 1 and at + size <= len(data):
                yield self._times[bisect_left(ends, at + size)], data[at : at + size]
            at += size


def _listen(ears: Sequence[Ear]) -> None:
    """Hear until a while after the end of the standard input."""
    poll = select.epoll()
    by_number = {ear.line.fileno(): ear for ear in ears}
    for number in (*by_number, sys.stdin.fileno()):
        poll.register(number, select.EPOLLIN)
    told, end = False, math.inf
    while time.perf_counter() < end:
        ready = poll.poll(0.2)
        for number, _ in ready:
            if number in by_number:
                by_number[number].hear()
            else:
                poll.unregister(number)
                end = time.perf_counter() + _AFTERWARDS
        if not told and not ready and all(ear.greeted for ear in ears):
            told = True
            print("ready", flush=True)


def _main() -> None:
    gc.disable()
    given = json.loads(sys.stdin.readline())
    parts = urlsplit(given["address"])
    assert parts.hostname
    assert parts.port
    ears = [Ear(parts.hostname, parts.port, given["path"], lines) for lines in given["headers"]]
    _listen(ears)
    pattern = re.compile(given["pattern"].encode())
    found = ((at, pattern.search(frame)) for ear in ears for at, frame in ear.frames())
    print(json.dumps([(at, match.group(1).decode()) for at, match in found if match]))


class Listening:
    """Consoles that listen; `heard` ends that."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> Heard:
        """What came until a while from now."""
        out, _ = await self._process.communicate(b"")  # ends its input
        if self._process.returncode:
            raise RuntimeError("the consoles failed")
        found: Heard = json.loads(out)
        return found


@asynccontextmanager
async def listening(
    address: str, path: str, headers: Sequence[str], *, pattern: str
) -> AsyncIterator[Listening]:
    """A console for each of `headers`, all connected."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.listeners"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given: dict[str, Any] = {"address": address, "path": path, "headers": headers, "pattern": pattern}
    try:
        process.stdin.write(json.dumps(given).encode() + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the consoles could not connect")
        yield Listening(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    _main()
