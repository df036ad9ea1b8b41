"""A tiny Bot API: the few methods that the Telegram adapter calls, for one bot."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.demo import events, things
from app.demo.script import Person

TOKEN = f"{events.BOT}:DemoDemoDemoDemoDemoDemoDemoDemoDem"
USERNAME = "cricket_house_demo_bot"


@dataclass
class TelegramPlatform:
    """`persons` by their ids here; `blocked`: who has blocked the bot; `silent`: answers get lost."""

    persons: dict[str, Person]
    blocked: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    _updates: list[dict[str, Any]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, update: dict[str, Any]) -> None:
        """An update to be pulled."""
        self._updates.append(update)
        self._news.set()

    def wake(self) -> None:
        """End the polls that wait."""
        self._news.set()

    def routes(self) -> list[Route]:
        return [
            Route(f"/bot{TOKEN}/{{method}}", self._call, methods=["GET", "POST"]),
            Route(f"/file/bot{TOKEN}/{{name}}", _file),
        ]

    async def _call(self, request: Request) -> Response:
        form = await words(request)
        method = request.path_params["method"]
        if method.startswith("send") and method != "sendChatAction":
            return self._take(form, method)
        answers: dict[str, Any] = {
            "getMe": {"id": events.BOT, "is_bot": True, "first_name": "Cricket House", "username": USERNAME},
            "getFile": {"file_id": form.get("file_id"), "file_path": form.get("file_id")},
        }
        if method == "getUpdates":
            return _ok(await self._pull(int(form.get("offset", 0)), float(form.get("timeout", 0))))
        if method == "getChat":
            return self._chat(form.get("chat_id", ""))
        return _ok(answers.get(method, True))

    async def _pull(self, offset: int, seconds: float) -> list[dict[str, Any]]:
        until = time.monotonic() + seconds
        while True:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
            left = until - time.monotonic()
            if self._updates or left <= 0:
                return self._updates[:100]
            self._news.clear()
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return []
            if not self._updates:
                return []

    def _take(self, form: dict[str, str], method: str) -> Response:
        chat = form.get("chat_id", "")
        if chat in self.blocked:
            return _refused(403, "Forbidden: bot was blocked by the user")
        if chat in self.silent:
            # Taken or not? The answer is lost on its way.
            self.silent.discard(chat)
            return PlainTextResponse("Bad Gateway", status_code=502)
        message = {"message_id": events.number(), "date": int(time.time()), "chat": {"id": int(chat)}}
        return _ok([message] if method == "sendMediaGroup" else message)

    def _chat(self, chat: str) -> Response:
        person = self.persons.get(chat)
        if person is None:
            return _refused(400, "Bad Request: chat not found")
        first, last = person.names
        found: dict[str, Any] = {"id": int(chat), "type": "private", "first_name": first, "last_name": last}
        if user := person.about.get("user"):
            found["username"] = user
        if face := person.about.get("face"):
            found["photo"] = {"big_file_id": f"face-{face}.png", "small_file_id": f"face-{face}.png"}
        return _ok(found)


async def words(request: Request) -> dict[str, str]:
    """The parameters of a call; its files are taken and forgotten."""
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


async def _file(request: Request) -> Response:
    return file_answer(request.path_params["name"])


def file_answer(name: str) -> Response:
    """A file of the story by its name."""
    try:
        found = things.thing(name)
    except (KeyError, ValueError):
        return PlainTextResponse("Not Found", status_code=404)
    return Response(found.data, media_type=found.mime)


def _ok(result: Any) -> Response:
    return JSONResponse({"ok": True, "result": result})


def _refused(code: int, reason: str) -> Response:
    return JSONResponse({"ok": False, "error_code": code, "description": reason}, status_code=code)
