"""A console as simple as can be: applies what the feed says, resumes where it was cut off."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.api.conftest import Client
from tests.helpers import eventually

_NOUNS = ("dialog", "message", "task", "customer")


class Console:
    """State by noun and id, as one agent sees it; `cursor` is how far it has come."""

    def __init__(self, client: Client, address: str, cursor: str) -> None:
        self.client = client
        self.address = address.replace("http", "ws", 1)
        self.cursor = cursor
        self.state: dict[str, dict[str, Any]] = {noun: {} for noun in _NOUNS}
        self.facts: list[str] = []
        """Cursors of all facts, in the order they came."""
        self.types: list[str] = []
        self.lane: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, **headers: str) -> "Console":
        cookie = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        self.closed = None
        self.socket = await websockets.connect(
            f"{self.address}/api/v1/live?after={self.cursor}",
            additional_headers={"Cookie": cookie} | headers,
            max_size=None,
        )
        self._reading = asyncio.create_task(self._read(self.socket))
        return self

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self.take(json.loads(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.closed = socket.close_code

    def take(self, said: dict[str, Any]) -> None:
        if "lane" in said:
            self.lane.append(said)
        for fact in said.get("facts", ()):
            self.apply(fact)
        self.cursor = said.get("cursor", self.cursor)

    def apply(self, fact: dict[str, Any]) -> None:
        self.facts.append(fact["cursor"])
        self.types.append(fact["type"])
        noun, verb = fact["type"].split(".")
        if verb == "hidden":
            self.state[noun].pop(fact[f"{noun}_id"], None)
            return
        for name in _NOUNS:
            if name in fact:
                self.state[name][fact[name]["id"]] = fact[name]

    async def cut(self) -> None:
        """The connection breaks without a word."""
        if self.socket is not None and self._reading is not None:
            self.socket.transport.abort()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def leave(self) -> None:
        if self.socket is not None:
            await self.socket.close()
        if self._reading is not None:
            await self._reading

    async def say(self, **said: Any) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(said))


async def cursor_of(client: Client) -> str:
    """Where the log is now."""
    cursor: str = (await client.get("/sync")).json()["cursor"]
    return cursor


async def quiet(client: Client, *consoles: Console) -> None:
    """Wait until each console has everything the log holds for its agent."""
    for console in consoles:
        await eventually(lambda console=console: _has_all(client, console), timeout=20)


async def _has_all(client: Client, console: Console) -> bool:
    answer = (await console.client.get("/events", params={"after": console.cursor, "limit": 1})).json()
    return not answer["items"] and not answer["more"]
