"""Real `otklik serve` and `otklik work` on one database, a load balancer before them, consoles at them."""

import asyncio
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import websockets

from app.core import lifeline
from app.core.config import Settings
from tests.api.conftest import Client
from tests.helpers import eventually
from tests.live.console import Console

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


class Member:
    """One process; a web server keeps its port over its restarts."""

    def __init__(self, program: str, settings: Settings, folder: Path) -> None:
        self.program, self._settings, self._folder = program, settings, folder
        self.process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def start(self) -> None:
        command = [sys.executable, "-m", "app.cli", self.program]
        with (self._folder / f"{self.program}.log").open("ab") as log:
            if self.program == "work":
                self.process = self._spawn(command, log)
                return
            with socket.create_server(("127.0.0.1", self._port), backlog=1024) as listener:
                self._port = listener.getsockname()[1]
                self.process = self._spawn([*command, "--fd", str(listener.fileno())], log, listener.fileno())

    def _spawn(self, command: list[str], log: Any, *fds: int) -> subprocess.Popen[bytes]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("OTKLIK_")} | {
            "DATABASE_URL": self._settings.database_url or "",
            "OTKLIK_SECRET_KEY": self._settings.secret_key or "",
            "OTKLIK_DATA_DIR": str(self._settings.data_dir),
            "OTKLIK_PUBLIC_URL": self._settings.url,
            "OTKLIK_UNDO_SECONDS": "0",
            "OTKLIK_DRAIN_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        return lifeline.spawn(
            command, stop_signal=signal.SIGKILL, output=log, env=env, cwd=ROOT, pass_fds=fds
        )

    def kill(self) -> None:
        """As a machine that loses its power."""
        assert self.process
        self.process.kill()
        self.process.wait()

    async def stop(self) -> None:
        """As a deployment does; fails when it does not end by itself."""
        assert self.process
        self.process.terminate()
        await eventually(lambda: self.process is not None and self.process.poll() is not None, PATIENCE)

    async def ready(self) -> None:
        if self.program == "serve":
            await eventually(self._is_ready, PATIENCE, every=0.1)

    async def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{self.address}/readyz", timeout=5)).status_code == 200
        return False


class Balancer:
    """As simple as can be: asks `/readyz`, tries another only when it cannot connect."""

    def __init__(self, members: list[Member], client: Client) -> None:
        self._members, self.ready = members, [member.address for member in members]
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        self._http = httpx.AsyncClient(headers={"X-Otklik": "1", "Cookie": cookie}, timeout=30)
        self._turn = itertools.count()
        self.answered = self.knocked = self.refused = 0

    async def watch(self) -> None:
        """Until cancelled. Slowly enough that who stops without a warning is noticed by those who come."""
        async with httpx.AsyncClient(timeout=2) as http:
            while True:
                found = await asyncio.gather(*(self._look(http, member.address) for member in self._members))
                self.ready = [address for address in found if address] or self.ready
                await asyncio.sleep(0.25)

    async def knock(self) -> None:
        """Come to the ready ones again and again, until cancelled; count who found the door shut."""
        while True:
            address = self.ready[next(self._turn) % len(self.ready)]
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))
                writer.close()
                self.knocked += 1
            except OSError:
                self.refused += 1
            await asyncio.sleep(0.02)

    async def _look(self, http: httpx.AsyncClient, address: str) -> str:
        with suppress(httpx.HTTPError):
            answer = await http.get(f"{address}/readyz", headers={"Connection": "close"})
            return address if answer.status_code == 200 else ""
        return ""

    async def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        """One request; raises what the client of a real one would be told as 502."""
        for _ in range(20):
            address = self.ready[next(self._turn) % len(self.ready)]
            try:
                answer = await self._http.request(method, f"{address}/api/v1{path}", json=body or None)
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
                continue
            self.answered += 1
            return answer
        raise httpx.ConnectError("nobody answers")

    async def insist(self, method: str, path: str, **body: Any) -> httpx.Response:
        """As consoles and platforms do: the same again until it is answered."""
        while True:
            with suppress(httpx.HTTPError):
                answer = await self.call(method, path, **body)
                if answer.status_code < 500:
                    return answer
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._http.aclose()


class Keeper:
    """A console that always comes back, to another process each time, and goes on where it was."""

    def __init__(self, client: Client, members: list[Member], cursor: str) -> None:
        self.console = Console(client, "", cursor)
        self.codes: list[int | None] = []
        self._members = members

    async def run(self) -> None:
        """Until cancelled."""
        for member in itertools.cycle(self._members):
            self.console.address = member.address.replace("http", "ws", 1)
            try:
                await self.console.connect()
            except (OSError, websockets.InvalidHandshake, websockets.InvalidMessage, TimeoutError):
                await asyncio.sleep(0.1)
                continue
            reading = self.console._reading
            assert reading
            await asyncio.wait([reading])
            self.codes.append(self.console.closed)
            await asyncio.sleep(random.uniform(0, 0.1))
