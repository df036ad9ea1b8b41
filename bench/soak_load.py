"""Who works on the desk during a soak: platforms that repeat, agents that answer, consoles that follow or do
not read, a service that takes answers and one that never answers, and somebody who holds a lock."""

import asyncio
import json
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import websockets

from bench.stage import Stage, vk_message

PEOPLE = 300


@dataclass
class Platform:
    """Calls our webhook with ever new messages, each until it is taken, as Telegram and VK do."""

    on: Stage
    address: str
    senders: int
    waiting: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    accepted: set[int] = field(default_factory=set)
    refused: int = 0
    made: int = 0

    def offer(self, count: int) -> None:
        for _ in range(count):
            self.made += 1
            self.waiting.put_nowait(self.made)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.senders):
                group.create_task(self._send())

    async def _send(self) -> None:
        line = Line(self.address)
        try:
            while True:
                number = await self.waiting.get()
                body = vk_message(self.on, person=number % PEOPLE, number=number, text=f"n{number}")
                while (pause := await line.post(self.on.hook, body)) is not None:
                    self.refused += 1
                    await asyncio.sleep(pause)
                self.accepted.add(number)
        finally:
            line.close()


class Line:
    """One kept-alive connection that posts; opened again when it breaks."""

    def __init__(self, address: str) -> None:
        self._host = urlsplit(address)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> float | None:
        """None when it was taken, else the seconds to wait before repeating."""
        try:
            async with asyncio.timeout(30):
                status, headers = await self._exchange(path, body)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return 1.0
        return None if status == 200 else float(headers.get("retry-after", 1))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, path: str, body: bytes) -> tuple[int, dict[str, str]]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host.hostname, self._host.port)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nHost: desk\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in rest if line)
        await reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers


@dataclass
class Service:
    """Takes answers at `/quick` and never answers at `/dead`."""

    taken: Counter[str] = field(default_factory=Counter)
    port: int = 0

    async def run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(headers.get("content-length", 0)))
                if "/dead" in head.split("\r\n")[0]:
                    await reader.read()
                    break
                self.taken[headers["x-otklik-delivery"]] += 1
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
                )
        writer.close()


@dataclass
class Agents:
    """Answer in some dialogs all the time; each answer until it is taken or refused for good."""

    client: httpx.AsyncClient
    dialogs: list[str]
    stopping: bool = False
    queued: list[str] = field(default_factory=list)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for dialog_id in self.dialogs:
                group.create_task(self._answer(dialog_id))

    async def _answer(self, dialog_id: str) -> None:
        while not self.stopping:
            body = {"client_key": uuid4().hex, "text": "Answer"}
            while True:
                status, pause = await self._post(f"/api/v1/dialogs/{dialog_id}/messages", body)
                if status in (201, 429):
                    break
                await asyncio.sleep(pause)
            if status == 201:
                self.queued.append(body["client_key"])
            await asyncio.sleep(0.1 if status == 201 else 1)

    async def _post(self, path: str, body: dict[str, str]) -> tuple[int, float]:
        try:
            answer = await self.client.post(path, json=body)
        except httpx.TransportError:
            return 0, 1.0
        return answer.status_code, float(answer.headers.get("retry-after", 1))


@dataclass
class Follower:
    """A console that applies everything and comes again where it was cut off."""

    address: str
    token: str
    cursor: str
    seen: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        base = self.address.replace("http", "ws", 1)
        while True:
            with suppress(OSError, websockets.WebSocketException):
                path = f"{base}/api/v1/live?after={self.cursor}"
                async with websockets.connect(path, additional_headers=headers, max_size=None) as line:
                    async for text in line:
                        self._take(json.loads(text))
            await asyncio.sleep(0.2)

    def _take(self, said: dict[str, object]) -> None:
        facts = said.get("facts", ())
        assert isinstance(facts, list | tuple)
        for fact in facts:
            if fact["type"] == "message.created":
                self.seen[fact["message_id"]] += 1
        self.cursor = str(said.get("cursor", self.cursor))


async def mute(address: str, token: str, cursor: str) -> socket.socket:
    """A console that says hello and never reads."""
    host = urlsplit(address)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host.hostname, host.port))
    line.sendall(
        f"GET /api/v1/live?after={cursor} HTTP/1.1\r\nHost: desk\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    line.setblocking(False)
    return line


async def hold(url: str, *, seconds: float, every: float) -> None:
    """Lock what every message changes, again and again: the connections of the program fill up."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            await asyncio.sleep(every)
            async with connection.transaction():
                await connection.execute("lock table dialogs in exclusive mode")
                await asyncio.sleep(seconds)
    finally:
        await connection.close()
