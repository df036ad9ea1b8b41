"""A faithful Telegram Bot API: an offset confirms, a second poller ends the first, webhooks keep the order of a chat.

In a test: `async with FakeTelegram() as fake:` – by hand: `python -m tests.fakes.telegram --port 8091`.
"""

import argparse
import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.server import FakeServer, Fault, Upload, parameters, serve_forever

TOKEN = "700001:FAKE-telegram-token-AAAAAAAAAAAAAAA"
DEFAULT_ALLOWED_OUT = {"chat_member", "message_reaction", "message_reaction_count"}
DOWNLOAD_LIMIT = 20 << 20
Result = tuple[int, dict[str, Any]]


@dataclass
class SentMessage:
    """What the bot sent: one message as the customer sees it."""

    method: str
    chat_id: int
    message_id: int
    text: str = ""
    file: Upload | None = None
    reply_to: int | None = None
    album: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        self.status, self.description, self.parameters = status, description, parameters


class FakeTelegram(FakeServer):
    """One bot and everybody who writes to it."""

    controls = ("customer_writes", "customer_edits", "customer_blocks", "fail_next")

    def __init__(
        self, *, port: int = 0, token: str = TOKEN, username: str = "otklik_bot", retry_unit: float = 1.0
    ) -> None:
        """`retry_unit`: what a second of the webhook's retry schedule lasts (0.01 in tests)."""
        super().__init__(port=port)
        self.token = token
        self.me = {
            "id": int(token.split(":")[0]),
            "is_bot": True,
            "first_name": "Отклик",
            "username": username,
        }
        self.sent: list[SentMessage] = []
        self.typing: list[int] = []
        self.queue: list[dict[str, Any]] = []
        """Updates that nobody confirmed yet."""
        self.files: dict[str, tuple[str, bytes]] = {}
        self.sizes: dict[str, int] = {}
        self.people: dict[int, dict[str, Any]] = {}
        self.avatars: dict[int, str] = {}
        self.blocked: set[int] = set()
        self.migrated: dict[int, int] = {}
        self.webhook: dict[str, Any] = {}
        self.webhook_log: list[tuple[int, int]] = []
        """(update_id, status) of each webhook call, in order."""
        self.allowed: set[str] | None = None
        self.pushes: dict[int, deque[dict[str, Any]]] = {}
        self.retry_unit = retry_unit
        self._update_id = 1000
        self._message_id: dict[int, int] = {}
        self._poller: asyncio.Event | None = None
        self._changed = asyncio.Event()

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.*}", self._file)

    # --- what customers do ------------------------------------------------------------------

    def customer_writes(
        self, *, user_id: int = 501, text: str = "", name: str = "Анна Смирнова", chat_id: int | None = None,
        username: str = "", language: str = "ru", **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A message; `fields` go into it as they are (photo=…, reply_to_message=…). Returns the message."""
        user = self._person(user_id, name, username, language)
        chat = self._chat(user, chat_id)
        message = {
            "message_id": self._next_message(chat["id"]), "from": user, "chat": chat, "date": int(time.time()),
        } | fields  # fmt: skip
        if text:
            message["text"] = text
        self.push({"message": message})
        return message

    def customer_sends_file(
        self, kind: str, content: bytes, *, user_id: int = 501, file_name: str = "", mime: str = "",
        caption: str = "", size: int | None = None, **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A photo, document, voice, video, audio or sticker; `size` may lie, for files that are too large."""
        file_id = self.add_file(content, name=file_name or f"{kind}.bin", size=size)
        media: dict[str, Any] = {
            "file_id": file_id, "file_unique_id": "u" + file_id, "file_size": size or len(content),
            "file_name": file_name, "mime_type": mime, "duration": 3, "width": 320, "height": 240,
        }  # fmt: skip
        value = [media | {"width": 90, "height": 67, "file_id": "thumb"}, media] if kind == "photo" else media
        extra = {"caption": caption} if caption else {}
        return self.customer_writes(user_id=user_id, **({kind: value} | extra | fields))

    def customer_edits(self, message: dict[str, Any], text: str) -> None:
        self.push({"edited_message": message | {"text": text, "edit_date": int(time.time())}})

    def customer_blocks(self, user_id: int, *, blocked: bool = True) -> None:
        (self.blocked.add if blocked else self.blocked.discard)(user_id)
        user = self._person(user_id)
        status = {"status": "kicked", "until_date": 0} if blocked else {"status": "member"}
        old = {"status": "member"} if blocked else {"status": "kicked", "until_date": 0}
        self.push({
            "my_chat_member": {
                "chat": self._chat(user, None), "from": user, "date": int(time.time()),
                "old_chat_member": old | {"user": self.me}, "new_chat_member": status | {"user": self.me},
            }
        })  # fmt: skip

    def add_file(self, content: bytes, *, name: str = "file.bin", size: int | None = None) -> str:
        file_id = f"file{len(self.files) + 1}"
        self.files[file_id] = (f"documents/{file_id}_{name}", content)
        self.sizes[file_id] = size or len(content)
        return file_id

    def push(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update of any form, for the poll or the webhook. Returns it with its id."""
        self._update_id += 1
        full = {"update_id": self._update_id} | update
        kind = next(iter(update), "")
        if not self._wanted(kind):
            return full
        self.queue.append(full)
        if self.webhook:
            self._schedule(full)
        self._wake()
        return full

    def _wanted(self, kind: str) -> bool:
        if self.allowed is None:
            return kind not in DEFAULT_ALLOWED_OUT
        return kind in self.allowed or not self.allowed

    def _person(
        self, user_id: int, name: str = "", username: str = "", language: str = "ru"
    ) -> dict[str, Any]:
        first, _, last = (name or "Анна Смирнова").partition(" ")
        person = {"id": user_id, "is_bot": False, "first_name": first, "language_code": language}
        if last:
            person["last_name"] = last
        if username:
            person["username"] = username
        if name or user_id not in self.people:
            self.people[user_id] = person
        return self.people[user_id]

    def _chat(self, user: dict[str, Any], chat_id: int | None) -> dict[str, Any]:
        if chat_id is not None and chat_id != user["id"]:
            self.people.setdefault(chat_id, {"id": chat_id})
            return {"id": chat_id, "type": "supergroup", "title": "Группа"}
        names = {key: user[key] for key in ("first_name", "last_name", "username") if key in user}
        return {"id": user["id"], "type": "private"} | names

    def _next_message(self, chat: int) -> int:
        self._message_id[chat] = self._message_id.get(chat, 0) + 1
        return self._message_id[chat]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- the Bot API ------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            body = {"ok": False, "error_code": 401, "description": "Unauthorized"}
            return web.json_response(body, status=401)
        values, files = await parameters(request)
        self.calls.append((method, values))
        return await self.answer(request, method, lambda: self._perform(method, values, files))

    async def _perform(self, method: str, values: dict[str, Any], files: dict[str, Upload]) -> Result:
        handler = getattr(self, f"_on_{method.lower()}", None)
        try:
            if handler is None:
                raise Refused(404, "Not Found: method not found")
            result = handler(values, files)
            return 200, {"ok": True, "result": await result if asyncio.iscoroutine(result) else result}
        except Refused as refused:
            return _refusal(refused.status, refused.description, **refused.parameters)

    def refusal(self, fault: Fault) -> Result:
        options = fault.options
        known = {
            "flood": (
                429,
                "Too Many Requests: retry after 7",
                {"retry_after": options.get("retry_after", 7)},
            ),
            "500": (500, "Internal Server Error: restart", {}),
            "revoked": (401, "Unauthorized", {}),
            "forbidden": (403, options.get("text", "Forbidden: bot was blocked by the user"), {}),
            "bad_request": (400, options.get("text", "Bad Request: message can't be sent"), {}),
        }
        status, text, extra = known[fault.kind]
        return _refusal(status, text, **extra)

    def _on_getme(self, *_: Any) -> dict[str, Any]:
        return self.me | {"can_join_groups": True, "supports_inline_queries": False}

    async def _on_getupdates(self, values: dict[str, Any], _: Any) -> list[dict[str, Any]]:
        if self.webhook:
            raise Refused(409, "Conflict: can't use getUpdates method while webhook is active")
        if self._poller is not None:
            self._poller.set()
        mine = self._poller = asyncio.Event()
        try:
            return await self._poll(values, mine)
        finally:
            if self._poller is mine:
                self._poller = None

    async def _poll(self, values: dict[str, Any], ended: asyncio.Event) -> list[dict[str, Any]]:
        self._confirm(int(values.get("offset") or 0))
        self._remember_allowed(values)
        limit = min(max(int(values.get("limit") or 100), 1), 100)
        until = time.monotonic() + min(int(values.get("timeout") or 0), 50)
        while not self.queue and (left := until - time.monotonic()) > 0 and not ended.is_set():
            waits = [asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(ended.wait())]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        if ended.is_set():
            raise Refused(409, "Conflict: terminated by other getUpdates request; make sure that only one bot "
                               "instance is running")  # fmt: skip
        return self.queue[:limit]

    def _confirm(self, offset: int) -> None:
        """Forget what lies before `offset`; a negative one keeps only the last ones; an unknown one nothing."""
        if offset < 0:
            self.queue = self.queue[offset:]
        elif offset and (not self.queue or offset <= self.queue[-1]["update_id"] + 1):
            self.queue = [update for update in self.queue if update["update_id"] >= offset]

    def _remember_allowed(self, values: dict[str, Any]) -> None:
        if (given := values.get("allowed_updates")) is not None:
            kinds = json.loads(given) if isinstance(given, str) else given
            self.allowed = set(kinds) if kinds else None

    def _on_setwebhook(self, values: dict[str, Any], _: Any) -> bool:
        url = str(values.get("url") or "")
        if url and not url.startswith(("https://", "http://127.0.0.1")):
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self._remember_allowed(values)
        self._drop(values)
        self.webhook = {"url": url, "secret": values.get("secret_token", "")} if url else {}
        if url:
            if self._poller is not None:
                self._poller.set()
            for update in self.queue:
                self._schedule(update)
        return True

    def _on_deletewebhook(self, values: dict[str, Any], _: Any) -> bool:
        self.webhook = {}
        self.pushes.clear()
        self._drop(values)
        return True

    def _drop(self, values: dict[str, Any]) -> None:
        if str(values.get("drop_pending_updates", "")).lower() in ("true", "1"):
            self.queue.clear()

    def _on_getwebhookinfo(self, *_: Any) -> dict[str, Any]:
        url = self.webhook.get("url", "")
        return {"url": url, "has_custom_certificate": False, "pending_update_count": len(self.queue)}

    def _on_getchat(self, values: dict[str, Any], _: Any) -> dict[str, Any]:
        chat = int(values["chat_id"])
        if chat not in self.people:
            raise Refused(400, "Bad Request: chat not found")
        person = self.people[chat]
        photo = {}
        if chat in self.avatars:
            one = {"small_file_id": self.avatars[chat], "big_file_id": self.avatars[chat]}
            photo = {"photo": one | {"small_file_unique_id": "s", "big_file_unique_id": "b"}}
        names = {key: person[key] for key in ("first_name", "last_name", "username") if key in person}
        return {"id": chat, "type": "private", "accent_color_id": 0, "max_reaction_count": 11} | names | photo

    def _on_getfile(self, values: dict[str, Any], _: Any) -> dict[str, Any]:
        file_id = str(values.get("file_id", ""))
        if file_id not in self.files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if self.sizes[file_id] > DOWNLOAD_LIMIT:
            raise Refused(400, "Bad Request: file is too big")
        size, path = self.sizes[file_id], self.files[file_id][0]
        return {"file_id": file_id, "file_unique_id": "u" + file_id, "file_size": size, "file_path": path}

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["token"] == self.token:
            for path, content in self.files.values():
                if path == request.match_info["path"]:
                    return web.Response(body=content, content_type="application/octet-stream")
        return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)

    def _on_sendchataction(self, values: dict[str, Any], _: Any) -> bool:
        self.typing.append(self._target(values))
        return True

    def _on_sendmessage(self, values: dict[str, Any], _: Any) -> dict[str, Any]:
        chat, text = self._target(values), str(values.get("text", ""))
        if not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise Refused(400, "Bad Request: message is too long")
        return self._store("sendMessage", chat, values, text=text)

    def _media(self, kind: str, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        chat = self._target(values)
        upload = _attached(str(values.get(kind, "")), files)
        return self._store(f"send{kind.title()}", chat, values, text=_caption(values), file=upload)

    def _on_sendphoto(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        upload = _attached(str(values.get("photo", "")), files)
        if len(upload.content) > 10 << 20 or upload.content.startswith(b"BAD"):
            raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return self._media("photo", values, files)

    def _on_senddocument(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        return self._media("document", values, files)

    def _on_sendvoice(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        return self._media("voice", values, files)

    def _on_sendvideo(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        return self._media("video", values, files)

    def _on_sendaudio(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        return self._media("audio", values, files)

    def _on_sendmediagroup(self, values: dict[str, Any], files: dict[str, Upload]) -> list[dict[str, Any]]:
        chat, items = self._target(values), json.loads(values["media"])
        if not 2 <= len(items) <= 10:
            raise Refused(400, "Bad Request: group send failed")
        pairs = [(item, _attached(item["media"], files)) for item in items]
        album = f"album{len(self.sent)}"
        return [
            self._store("sendMediaGroup", chat, values, text=_caption(item), file=upload, album=album)
            for item, upload in pairs
        ]

    def _target(self, values: dict[str, Any]) -> int:
        chat = int(values.get("chat_id") or 0)
        if chat in self.migrated:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.migrated[chat],
            )
        if chat not in self.people and chat not in self.migrated.values():
            raise Refused(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return chat

    def _store(
        self,
        method: str,
        chat: int,
        values: dict[str, Any],
        *,
        text: str,
        file: Upload | None = None,
        album: str = "",
    ) -> dict[str, Any]:
        given = values.get("reply_parameters")
        reply = json.loads(given)["message_id"] if given else None
        sent = SentMessage(method, chat, self._next_message(chat), text, file, reply, album, values)
        self.sent.append(sent)
        names = (
            {"first_name": "Анна", "type": "private"}
            if chat > 0
            else {"type": "supergroup", "title": "Группа"}
        )
        return {
            "message_id": sent.message_id, "from": self.me, "date": int(time.time()), "text": text,
            "chat": {"id": chat} | names,
        }  # fmt: skip

    # --- webhook ----------------------------------------------------------------------------

    def _schedule(self, update: dict[str, Any]) -> None:
        """Calls of one chat go one after another; chats side by side."""
        part = next((value for value in update.values() if isinstance(value, dict)), {})
        lane = part.get("chat", {}).get("id", 0)
        waiting = self.pushes.get(lane)
        if waiting is not None:
            waiting.append(update)
            return
        self.pushes[lane] = waiting = deque([update])
        self.spawn(lambda: self._deliver(lane, waiting))

    async def _deliver(self, lane: int, waiting: deque[dict[str, Any]]) -> None:
        async with aiohttp.ClientSession() as session:
            while waiting and self.webhook:
                await self._deliver_one(session, waiting[0])
                waiting.popleft()
        if self.pushes.get(lane) is waiting:
            del self.pushes[lane]

    async def _deliver_one(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> None:
        """Until it is taken: the first retry at once, then after 2, 4, 8 … s, or when `Retry-After` says."""
        attempt = 0
        while self.webhook:
            status, wait = await self._post(session, update)
            self.webhook_log.append((update["update_id"], status))
            if 200 <= status < 300:
                with suppress(ValueError):
                    self.queue.remove(update)
                return
            delay = wait if wait is not None else (0 if attempt == 0 else min(2**attempt, 60))
            attempt += 1
            await asyncio.sleep(delay * self.retry_unit)

    async def _post(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> tuple[int, float | None]:
        headers = (
            {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret"]} if self.webhook["secret"] else {}
        )
        try:
            timeout = aiohttp.ClientTimeout(total=60)
            async with session.post(
                self.webhook["url"], json=update, headers=headers, timeout=timeout
            ) as answer:
                given = answer.headers.get("Retry-After", "")
                return answer.status, min(float(given), 3600) if given.isdigit() else None
        except (aiohttp.ClientError, TimeoutError):
            return 0, None


def _refusal(status: int, description: str, **extra: Any) -> Result:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return status, body | ({"parameters": extra} if extra else {})


def _attached(value: str, files: dict[str, Upload]) -> Upload:
    name = value.removeprefix("attach://")
    if name not in files:
        raise Refused(400, "Bad Request: wrong remote file identifier specified")
    return files[name]


def _caption(values: dict[str, Any]) -> str:
    caption = str(values.get("caption") or "")
    if len(caption.encode("utf-16-le")) // 2 > 1024:
        raise Refused(400, "Bad Request: message caption is too long")
    return caption


def main() -> None:
    parser = argparse.ArgumentParser(description="A Telegram Bot API to play with.")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    note = (
        f"token: {TOKEN}\n"
        'write:  curl -d \'{"user_id": 7, "text": "Hello"}\' URL/control/customer_writes\n'
        "answers: curl URL/control/sent"
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_forever(FakeTelegram(port=given.port), note))


if __name__ == "__main__":
    main()
