"""The methods of VK's API and its uploads, with the refusals of the real one."""

import asyncio
import json
import re
from collections import deque
from typing import Any

from aiohttp import web

from tests.fakes.server import Fault, Upload, parameters
from tests.fakes.vk_acts import Acts
from tests.fakes.vk_events import Refused, Result, SentMessage


class Methods(Acts):
    """What a community may call."""

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/method/{method}", self._call)
        app.router.add_get("/lp", self._long_poll)
        app.router.add_post("/upload/{kind}", self._upload)
        app.router.add_get("/file/{name}", self._download)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        values, _ = await parameters(request)
        self.calls.append((method, values))
        return await self.answer(request, method, lambda: self._perform(method, values))

    async def _perform(self, method: str, values: dict[str, Any]) -> Result:
        try:
            if values.get("access_token") != self.token:
                raise Refused(5, "User authorization failed: invalid access_token (4).")
            if values.get("v") != "5.199":
                raise Refused(8, "Invalid request: version is deprecated")
            handler = getattr(self, "_on_" + method.replace(".", "_").lower(), None)
            if handler is None:
                raise Refused(3, "Unknown method passed")
            result = handler(values)
            return 200, {"response": await result if asyncio.iscoroutine(result) else result}
        except Refused as refused:
            return self._error(refused.code, refused.text, values)

    def _error(self, code: int, text: str, values: dict[str, Any] | None = None) -> Result:
        # VK repeats the parameters, the token among them in some versions: nobody may log them.
        given = [{"key": name, "value": str(value)} for name, value in (values or {}).items()]
        return 200, {"error": {"error_code": code, "error_msg": text, "request_params": given}}

    def refusal(self, fault: Fault) -> Result:
        if fault.kind == "failed":
            extra = {"ts": len(self.events)} if fault.options["code"] == 1 else {}
            return 200, {"failed": fault.options["code"]} | extra
        known = {
            "flood": (9, "Flood control"),
            "500": (10, "Internal server error"),
            "revoked": (5, "User authorization failed: access_token was revoked"),
            "forbidden": (901, "Can't send messages for users without permission"),
            "bad_request": (100, "One of the parameters specified was missing or invalid"),
            "captcha": (14, "Captcha needed"),
        }
        code, text = known.get(fault.kind) or (fault.options["code"], "ordered")
        return self._error(code, text, {"access_token": self.token})

    def _on_groups_getbyid(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("group_id") not in (None, "", str(self.group_id)):
            raise Refused(
                100, "One of the parameters specified was missing or invalid: group_id is undefined"
            )
        group = {"id": self.group_id, "name": "Кофейня «Отклик»", "screen_name": "otklik_cafe"}
        return {"groups": [group], "profiles": []}

    def _on_groups_getlongpollserver(self, _: Any) -> dict[str, Any]:
        return {"server": f"{self.url}/lp", "key": self.key, "ts": str(len(self.events))}

    def _on_groups_setlongpollsettings(self, values: dict[str, Any]) -> int:
        self.long_poll = values
        return 1

    def _on_groups_getcallbackconfirmationcode(self, _: Any) -> dict[str, Any]:
        return {"code": self.confirmation}

    def _on_groups_getcallbackservers(self, _: Any) -> dict[str, Any]:
        items = [{"id": number, "url": server["url"]} for number, server in self.callbacks.items()]
        return {"count": len(items), "items": items}

    async def _on_groups_addcallbackserver(self, values: dict[str, Any]) -> dict[str, Any]:
        if len(values.get("secret_key", "")) > 50 or len(values.get("title", "")) > 14:
            raise Refused(100, "One of the parameters specified was missing or invalid")
        number = len(self.callbacks) + 1
        server = {
            "url": values["url"],
            "secret": values.get("secret_key", ""),
            "queue": deque(),
            "busy": False,
        }
        await self._confirm(server)
        self.callbacks[number] = server
        return {"server_id": number}

    async def _on_groups_editcallbackserver(self, values: dict[str, Any]) -> int:
        self.callbacks[int(values["server_id"])]["secret"] = values.get("secret_key", "")
        return 1

    def _on_groups_deletecallbackserver(self, values: dict[str, Any]) -> int:
        self.callbacks.pop(int(values["server_id"]), None)
        return 1

    def _on_groups_setcallbacksettings(self, _: Any) -> int:
        return 1

    def _on_users_get(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = [int(part) for part in str(values.get("user_ids", "")).split(",") if part]
        return [self.people[number] for number in wanted if number in self.people]

    def _on_messages_setactivity(self, values: dict[str, Any]) -> int:
        self.typing.append(int(values["peer_id"]))
        return 1

    def _on_messages_getconversations(self, values: dict[str, Any]) -> dict[str, Any]:
        found = sorted(self.messages.values(), key=lambda messages: messages[-1]["date"], reverse=True)
        items = [
            {"conversation": {"peer": {"id": messages[-1]["peer_id"]}}, "last_message": messages[-1]}
            for messages in found
        ]
        return {"count": len(items), "items": _slice(items, values)}

    def _on_messages_gethistory(self, values: dict[str, Any]) -> dict[str, Any]:
        messages = self.messages.get(int(values["peer_id"]), [])[::-1]
        return {"count": len(messages), "items": _slice(messages, values)}

    def _on_messages_send(self, values: dict[str, Any]) -> Any:
        peer = int(values.get("peer_ids") or values.get("peer_id") or 0)
        random = int(values.get("random_id") or 0)
        if not -(2**31) <= random < 2**31:
            raise Refused(
                100, "One of the parameters specified was missing or invalid: random_id is not int32"
            )
        known = self._by_random.get((peer, random)) if random else None
        message = known or self._send(peer, random, values)
        ids = {name: message[name] for name in ("peer_id", "conversation_message_id")}
        return [ids | {"message_id": message["id"]}] if "peer_ids" in values else message["id"]

    def _send(self, peer: int, random: int, values: dict[str, Any]) -> dict[str, Any]:
        text, attached = str(values.get("message", "")), str(values.get("attachment", ""))
        if peer in self.blocked or peer not in self.people:
            raise Refused(self.blocked.get(peer, 901), "Can't send messages for users without permission")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise Refused(914, "Message is too long")
        if not text.strip() and not attached:
            raise Refused(100, "One of the parameters specified was missing or invalid: message is empty")
        files = [self._attached(name) for name in attached.split(",") if name]
        keyboard = self._keyboard(values)
        given = {"out": 1, "random_id": random, "payload": values.get("payload"), "keyboard": keyboard}
        given["attachments"] = [self._attachment(name) for name in attached.split(",") if name]
        message = self._message(peer, -self.group_id, text) | given
        self.messages.setdefault(peer, []).append(message)
        if random:
            self._by_random[peer, random] = message
        quoted = (
            json.loads(values["forward"])["conversation_message_ids"][0] if values.get("forward") else None
        )
        number = message["conversation_message_id"]
        self.sent.append(SentMessage(peer, number, text, random, files, quoted, values))
        self.emit("message_reply", message)
        return message

    def _attachment(self, name: str) -> dict[str, Any]:
        """As messages show what `attachment` named."""
        self._attached(name)
        kind, owner, number, key = re.fullmatch(r"([a-z]+)(-?\d+)_(\d+)_(\w+)", name).groups()  # type: ignore[union-attr]
        url = f"{self.url}/file/{name}"
        body: dict[str, Any] = {"owner_id": int(owner), "id": int(number), "access_key": key}
        body |= {"sizes": [{"url": url}]} if kind == "photo" else {"url": url, "title": "file"}
        return {"type": kind, kind: body}

    def _attached(self, name: str) -> Upload:
        saved = {key: upload for key, upload in self.uploads.items() if key.startswith("saved:")}
        if f"saved:{name}" not in saved:
            raise Refused(100, "One of the parameters specified was missing or invalid: attachment")
        return saved[f"saved:{name}"]

    def _on_photos_getmessagesuploadserver(self, _: Any) -> dict[str, Any]:
        return {"upload_url": f"{self.url}/upload/photo", "album_id": -64, "group_id": 0}

    def _on_docs_getmessagesuploadserver(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"upload_url": f"{self.url}/upload/{values.get('type') or 'doc'}"}

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        _, files = await parameters(request)
        upload = next(iter(files.values()), None)

        async def act() -> Result:
            if upload is None:
                return 200, {"error": "no file"}
            name = f"{kind}{len(self.uploads) + 1}"
            self.uploads[name] = upload
            return 200, {"server": 1, "photo": name, "hash": "h"} if kind == "photo" else {"file": name}

        return await self.answer(request, "upload", act)

    def _on_photos_savemessagesphoto(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._save("photo", str(values.get("photo")))]

    def _on_docs_save(self, values: dict[str, Any]) -> dict[str, Any]:
        name = str(values.get("file"))
        kind = "audio_message" if name.startswith("audio_message") else "doc"
        return {"type": kind, kind: self._save("doc", name, str(values.get("title") or ""))}

    def _save(self, kind: str, name: str, title: str = "") -> dict[str, Any]:
        if name not in self.uploads:
            raise Refused(100, "One of the parameters specified was missing or invalid: invalid upload")
        upload = self.uploads[name]
        saved = {"owner_id": -self.group_id, "id": len(self.uploads) + 100, "access_key": "acc3ss"}
        reference = f"{kind}{saved['owner_id']}_{saved['id']}_{saved['access_key']}"
        self.uploads[f"saved:{reference}"] = Upload(title or upload.name, upload.content, upload.mime)
        return saved

    async def _download(self, request: web.Request) -> web.Response:
        upload = self.hosted.get(request.match_info["name"])
        if upload is None:
            return web.Response(status=404)
        return web.Response(body=upload.content, content_type=upload.mime)


def _slice(items: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    start, count = int(values.get("offset") or 0), min(int(values.get("count") or 20), 200)
    return items[start : start + count]
