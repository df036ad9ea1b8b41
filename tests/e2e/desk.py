"""An agent without a browser: REST calls, and the live feed kept as the console keeps it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.helpers import eventually

PREFIX = "/api/v1"
HEADERS = {"X-Otklik": "1"}
PATIENCE = 25
_NOUNS = ("dialog", "message", "task", "customer", "channel")


class Desk:
    """One signed-in agent; `seen` is what the feed has told him, by noun and id."""

    def __init__(self, address: str, session: dict[str, str]) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"{address}{PREFIX}", headers=HEADERS, cookies=session, timeout=30
        )
        self.seen: dict[str, dict[str, dict[str, Any]]]
        self.forget()

    async def call(self, method: str, path: str, expect: int = 0, /, **body: Any) -> Any:
        """A call that succeeds (or is answered `expect`); its JSON."""
        answer = await self.http.request(method, path, json=body or None)
        good = answer.status_code == expect if expect else answer.is_success
        assert good, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def forget(self) -> None:
        """From here on only what comes now has been seen."""
        self.seen = {noun: {} for noun in _NOUNS}
        self.lane: list[dict[str, Any]] = []

    def take(self, said: dict[str, Any]) -> None:
        """Keep what a frame of the feed says: the newest state of each thing."""
        if "lane" in said:
            self.lane.append(said)
        for fact in said.get("facts", ()):
            for noun in _NOUNS:
                if noun in fact:
                    self.seen[noun][fact[noun]["id"]] = fact[noun]

    async def sees(self, noun: str, test: Callable[[dict[str, Any]], bool], timeout: float = PATIENCE) -> Any:
        """The thing the feed has told of, as soon as it fits."""

        def fits() -> dict[str, Any] | None:
            return next((thing for thing in self.seen[noun].values() if test(thing)), None)

        return await eventually(fits, timeout)

    async def sees_message(self, text: str, **values: Any) -> Any:
        """A message with the text and the values, in the feed."""
        return await self.sees(
            "message",
            lambda one: one["text"] == text and all(one[name] == values[name] for name in values),
        )

    async def answer(self, dialog_id: str, text: str = "", **more: Any) -> Any:
        body = {"client_key": str(uuid4()), "direction": "out", "text": text, **more}
        return await self.call("POST", f"/dialogs/{dialog_id}/messages", **body)

    async def upload(self, name: str, content: bytes, mime: str) -> str:
        answer = await self.http.post("/files", files={"file": (name, content, mime)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def download(self, attachment_id: str) -> bytes:
        answer = await self.http.get(f"/files/{attachment_id}")
        assert answer.status_code == 200, answer.text
        return answer.content

    async def thread(self, customer_id: str) -> list[dict[str, Any]]:
        page = await self.call("GET", f"/customers/{customer_id}/messages?limit=100")
        return list(page["items"])


async def signed_in(address: str, email: str, password: str, *, new_password: str) -> dict[str, str]:
    """Cookies of an agent who had to choose a password first."""
    async with httpx.AsyncClient(base_url=f"{address}{PREFIX}", headers=HEADERS, timeout=30) as http:
        answer = await http.post("/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        assert (await http.get("/dialogs")).json()["code"] == "password_change_required"
        change = {"password": {"current": password, "new": new_password}}
        answer = await http.patch("/me", json=change)
        assert answer.status_code == 200, answer.text
        return dict(http.cookies)


@asynccontextmanager
async def working(address: str, session: dict[str, str]) -> AsyncIterator[Desk]:
    """An agent at work: listening to the feed from the state he read."""
    desk = Desk(address, session)
    async with desk.http:
        cursor = (await desk.call("GET", "/sync"))["cursor"]
        cookie = "; ".join(f"{name}={value}" for name, value in session.items())
        url = address.replace("http", "ws", 1) + f"{PREFIX}/live?after={cursor}"
        async with connect(url, additional_headers={"Cookie": cookie}, max_size=None) as socket:
            reading = asyncio.create_task(_read(desk, socket))
            try:
                yield desk
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


async def _read(desk: Desk, socket: ClientConnection) -> None:
    async for text in socket:
        desk.take(json.loads(text))
