"""A platform in a process of its own: posts webhooks at a steady rate over kept connections.

`python -m bench.poster ADDRESS RATE AT` reads a JSON list of `[path, body, header lines]` and prints the
times (`perf_counter`) at which the first was sent and each was answered with 200.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import uvloop

_CONNECTIONS = 16
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
Request = tuple[str, str, str]
"""Path, body and header lines."""


class _Line(asyncio.Protocol):
    """One kept connection; `free` is where it goes back to when answered."""

    def __init__(self, free: "asyncio.Queue[_Line]") -> None:
        self._free = free
        self._answer = b""
        self._answered: Callable[[], None] = lambda: None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._free.put_nowait(self)

    def post(self, request: bytes, answered: Callable[[], None]) -> None:
        self._answered = answered
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ended, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not ended or len(body) < (int(length.group(1)) if length else 0):
            return
        if not self._answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the webhook answered {self._answer[:60]!r}")
        self._answer = b""
        self._answered()
        self._free.put_nowait(self)


async def post_all(address: str, requests: list[Request], rate: float) -> list[float]:
    """When the first was sent, and each answered."""
    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[_Line] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(lambda: _Line(free), parts.hostname, parts.port)
    done = [0.0] * len(requests)
    began, first = loop.time(), time.perf_counter()
    for number, (path, body, headers) in enumerate(requests):
        await asyncio.sleep(began + number / rate - loop.time())
        head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n{headers}"
        sent = body.encode()
        request = f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent
        (await free.get()).post(request, partial(_note, done, number))
    for _ in range(_CONNECTIONS):  # each comes back when it is answered
        async with asyncio.timeout(30):
            await free.get()
    return [first, *done]


def _note(done: list[float], number: int) -> None:
    done[number] = time.perf_counter()


async def _main(address: str, rate: float, at: float) -> None:
    requests: list[Request] = json.load(sys.stdin)
    await asyncio.sleep(at - time.perf_counter())
    print(json.dumps(await post_all(address, requests, rate)))


async def run(
    address: str, requests: list[Request], rate: float, *, began: bool = False, at: float = 0.0
) -> list[float]:
    """The same, in a process of its own; `began`: the first time is that of the first request.

    `at`: when to begin (`perf_counter`).
    """
    times: list[float] = await elsewhere("bench.poster", address, str(rate), str(at), given=requests)
    return times if began else times[1:]


async def elsewhere(module: str, *arguments: str, given: Any) -> Any:
    """Run a module of ours as a process: JSON in, JSON out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(given).encode())
    if process.returncode:
        raise RuntimeError(f"{module} failed")
    return json.loads(out)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
