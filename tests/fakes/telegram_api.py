"""The methods of the Bot API, with the refusals of the real one."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from tests.fakes.server import Fault, Upload, parameters
from tests.fakes.telegram_content import Refused, caption_of, content_of, keyboard_of, length
from tests.fakes.telegram_hooks import Hooks, SentMessage

DOWNLOAD_LIMIT = 20 << 20
Result = tuple[int, dict[str, Any]]


class BotApi(Hooks):
    """What a bot may call."""

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.*}", self._file)

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
            raise Refused(409, "Conflict: terminated by other getUpdates request; make sure that only "
                               "one bot instance is running")  # fmt: skip
        return self.queue[:limit]

    def _confirm(self, offset: int) -> None:
        """Forget what lies before `offset`. A negative one keeps the last ones, an unknown one all."""
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
        if length(text) > 4096:
            raise Refused(400, "Bad Request: message is too long")
        return self._store("sendMessage", chat, values, text=text)

    def _media(self, kind: str, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        chat = self._target(values)
        upload = _attached(str(values.get(kind) or kind), files)
        return self._store(f"send{kind.title()}", chat, values, text=caption_of(values), file=upload)

    def _on_sendphoto(self, values: dict[str, Any], files: dict[str, Upload]) -> dict[str, Any]:
        upload = _attached(str(values.get("photo") or "photo"), files)
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
            self._store("sendMediaGroup", chat, values, text=caption_of(item), file=upload, album=album)
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
        sent.keyboard = keyboard_of(values) if method != "sendMediaGroup" else []
        self.sent.append(sent)
        return self.shown(sent)

    def shown(self, sent: SentMessage) -> dict[str, Any]:
        """A message of the bot as the Bot API shows it."""
        names = (
            {"first_name": "Анна", "type": "private"}
            if sent.chat_id > 0
            else {"type": "supergroup", "title": "Группа"}
        )
        message: dict[str, Any] = {
            "message_id": sent.message_id, "from": self.me, "date": int(sent.date),
            "chat": {"id": sent.chat_id} | names,
        }  # fmt: skip
        if sent.text:
            message["caption" if sent.file else "text"] = sent.text
        if sent.keyboard:
            message["reply_markup"] = {"inline_keyboard": sent.keyboard}
        return message | content_of(sent)


def _refusal(status: int, description: str, **extra: Any) -> Result:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return status, body | ({"parameters": extra} if extra else {})


def _attached(value: str, files: dict[str, Upload]) -> Upload:
    name = value.removeprefix("attach://")
    if name not in files:
        raise Refused(400, "Bad Request: wrong remote file identifier specified")
    return files[name]
