"""`webhook.cpu`: CPU of the web process for a webhook, the database left out, against a bare ASGI
application that reads the same JSON.

`python -m bench.webhook_cpu FD URL` is the product with a store that answers at once; FD is its socket.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import psutil
import uvicorn

from app import programs
from app.core import logs
from app.core.config import load
from app.core.embedded import EmbeddedServer
from app.web.intake import Intake
from bench import figure, poster
from bench.figure import Figure
from bench.stage import Stage, environment, stage, vk_message
from channels.inbound import Given, Raw


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (500, 1) if smoke else (6000, 3)
    taken = []
    async with stage(running) as on:
        for _ in range(rounds):
            taken.append((await _cpu(on, "product", count), await _cpu(on, "bare", count)))
    return [figure.of("webhook.cpu", "µs", taken)]


async def _cpu(on: Stage, what: str, count: int) -> float:
    """Microseconds of CPU for each of `count` webhooks."""
    listener = socket.create_server(("127.0.0.1", 0))
    command = [sys.executable, "-m", "bench.webhook_cpu", what, str(listener.fileno())]
    with tempfile.TemporaryFile() as lines:
        server = subprocess.Popen(  # noqa: ASYNC220
            command, env=environment(on), pass_fds=[listener.fileno()], stderr=lines
        )
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        requests = [
            (on.hook, vk_message(on, person=n % 500, number=next(on.numbers)).decode(), "")
            for n in range(count)
        ]
        await poster.run(address, requests[: count // 10], 1e9)
        before = _spent(server.pid)
        await poster.run(address, requests, 1e9)
        return (_spent(server.pid) - before) / count * 1e6
    finally:
        server.kill()
        await asyncio.to_thread(server.wait, 15)
        listener.close()


def _spent(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _product(fd: int) -> None:
    async def store(self: Intake, given: Sequence[Given]) -> list[list[Raw]]:
        """As if they had been stored, and somebody else understood them."""
        return [[] for _ in given]

    Intake.store = store  # type: ignore[method-assign]
    settings = load()
    logs.setup(json=True)  # as it is: with a line for each request
    programs.serve(settings, fd=fd)


def _bare(fd: int) -> None:
    import json

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        json.loads(message["body"])
        headers = [(b"content-length", b"2"), (b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_config=None, server_header=False
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])


if __name__ == "__main__":
    {"product": _product, "bare": _bare}[sys.argv[1]](int(sys.argv[2]))
    os._exit(0)
