"""A tiny VK: the few methods that the VK adapter calls, for one community."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.demo import events
from app.demo.script import Person
from app.demo.telegram_platform import file_answer, words

TOKEN = "vk1.demo.demo-demo-demo-demo-demo-demo-demo"  # noqa: S105 - opens nothing but this stand-in


@dataclass
class VkPlatform:
    """`persons` by their ids here; `url`: where this server is."""

    persons: dict[str, Person]
    name: str
    url: str = ""
    _events: list[dict[str, Any]] = field(default_factory=list)
    _before: int = field(default_factory=events.number)
    """Number of the first event that is kept; `ts` counts from here."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, event: dict[str, Any]) -> None:
        """An event to be pulled."""
        self._events.append(event)
        self._news.set()

    def wake(self) -> None:
        """End the polls that wait."""
        self._news.set()

    def routes(self) -> list[Route]:
        return [
            Route("/method/{method}", self._call, methods=["POST"]),
            Route("/longpoll", self._poll),
            Route("/upload/{kind}", self._upload, methods=["POST"]),
            Route("/things/{name}", _thing),
        ]

    @property
    def files(self) -> str:
        """Address under which customers' files lie."""
        return f"{self.url}/things"

    async def _call(self, request: Request) -> Response:
        form = await words(request)
        return JSONResponse({"response": self._answer(request.path_params["method"], form)})

    def _answer(self, method: str, form: dict[str, str]) -> Any:
        match method:
            case "groups.getById":
                return {"groups": [{"id": events.GROUP, "name": self.name, "screen_name": "cricket_house"}]}
            case "groups.getLongPollServer":
                # From the beginning: who comes late misses nothing here.
                return {"server": f"{self.url}/longpoll", "key": "demo", "ts": str(self._before)}
            case "users.get":
                return [self._user(id) for id in form.get("user_ids", "").split(",") if id in self.persons]
            case "messages.send":
                peer = form.get("peer_ids") or form.get("peer_id", "0")
                given = {"message_id": events.number(), "conversation_message_id": events.number()}
                return [{"peer_id": int(peer), **given}]
            case "photos.getMessagesUploadServer" | "docs.getMessagesUploadServer":
                return {"upload_url": f"{self.url}/upload/{method.partition('.')[0]}"}
            case "photos.saveMessagesPhoto":
                return [{"id": events.number(), "owner_id": -events.GROUP}]
            case "docs.save":
                return {"type": "doc", "doc": {"id": events.number(), "owner_id": -events.GROUP}}
            case _ if method.startswith(("messages.get", "groups.getCallbackServers")):
                return {"count": 0, "items": []}
        return 1

    def _end(self) -> str:
        return str(self._before + len(self._events))

    def _user(self, id: str) -> dict[str, Any]:
        person = self.persons[id]
        first, last = person.names
        user = {"id": int(id), "first_name": first, "last_name": last, "screen_name": f"id{id}"}
        face = person.about.get("face")
        return user | ({"photo_200": f"{self.files}/face-{face}.png"} if face else {})

    async def _poll(self, request: Request) -> Response:
        """`failed: 1` tells a reader from another run to go on from here."""
        since = int(request.query_params.get("ts") or 0)
        if not self._before <= since <= int(self._end()):
            return JSONResponse({"failed": 1, "ts": self._before})
        if since == int(self._end()):
            self._news.clear()
            try:
                async with asyncio.timeout(float(request.query_params.get("wait", 1))):
                    await self._news.wait()
            except TimeoutError:
                pass
        return JSONResponse({"ts": self._end(), "updates": self._events[since - self._before :]})

    async def _upload(self, request: Request) -> Response:
        await words(request)
        return JSONResponse({"server": 1, "photo": "demo", "hash": "demo", "file": "demo"})


async def _thing(request: Request) -> Response:
    return file_answer(request.path_params["name"])
