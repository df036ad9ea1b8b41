"""A faithful VK for one community: API, Bots Long Poll with its failures, Callback API, uploads, `random_id`.

In a test: `async with FakeVk() as fake:` – by hand: `python -m tests.fakes.vk --port 8092`.
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

TOKEN = "vk1.a.FAKE-community-token-BBBBBBBBBBBBBBBB"
GROUP = 230001
Result = tuple[int, dict[str, Any]]


@dataclass
class SentMessage:
    """What the community sent: one message as the customer sees it."""

    peer_id: int
    conversation_message_id: int
    text: str
    random_id: int
    files: list[Upload] = field(default_factory=list)
    reply_to: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


class Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text


class FakeVk(FakeServer):
    """One community and everybody who writes to it."""

    controls = ("customer_writes", "customer_edits", "customer_reads", "customer_blocks", "admin_writes",
                "lose_history", "expire_key", "fail_next")  # fmt: skip

    def __init__(
        self, *, port: int = 0, token: str = TOKEN, group_id: int = GROUP, retry_unit: float = 1.0
    ) -> None:
        super().__init__(port=port)
        self.token, self.group_id, self.retry_unit = token, group_id, retry_unit
        self.confirmation = "c0nf1rm"
        self.people: dict[int, dict[str, Any]] = {}
        self.blocked: dict[int, int] = {}
        """Peer → error code of a send to him."""
        self.messages: dict[int, list[dict[str, Any]]] = {}
        """All messages of a peer, in and out, oldest first."""
        self.sent: list[SentMessage] = []
        self.typing: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.first_ts = 0
        """What lies before is forgotten: a poll from there is answered `failed: 1`."""
        self.key = "key1"
        self.long_poll: dict[str, str] = {}
        self.callbacks: dict[int, dict[str, Any]] = {}
        self.callback_log: list[tuple[str, int, int]] = []
        """(event_id, retry counter, status) of each callback call."""
        self.uploads: dict[str, Upload] = {}
        self.hosted: dict[str, Upload] = {}
        self._by_random: dict[tuple[int, int], dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._message_id = 0
        self._clock = int(time.time()) - 1000

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/method/{method}", self._call)
        app.router.add_get("/lp", self._long_poll)
        app.router.add_post("/upload/{kind}", self._upload)
        app.router.add_get("/file/{name}", self._download)

    # --- what people do ---------------------------------------------------------------------

    def customer_writes(
        self, *, user_id: int = 601, text: str = "", name: str = "Пётр Иванов", peer_id: int | None = None,
        silent: bool = False, **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A message; `fields` go into it as they are (attachments=…, ref=…). `silent`: no event comes of it."""
        self._person(user_id, name)
        message = self._message(peer_id or user_id, user_id, text) | fields
        self.messages.setdefault(message["peer_id"], []).append(message)
        if not silent:
            self.emit("message_new", {"message": message, "client_info": {"keyboard": True}})
        return message

    def admin_writes(self, *, user_id: int = 601, text: str = "", random_id: int = 0) -> dict[str, Any]:
        """Somebody of the community answers in VK's own interface."""
        message = self._message(user_id, -self.group_id, text) | {
            "out": 1, "admin_author_id": 1, "random_id": random_id,
        }  # fmt: skip
        self.messages.setdefault(user_id, []).append(message)
        self.emit("message_reply", message)
        return message

    def customer_edits(self, message: dict[str, Any], text: str) -> None:
        self.emit("message_edit", message | {"text": text, "update_time": self._tick()})

    def customer_reads(self, user_id: int = 601) -> None:
        last = self.messages[user_id][-1]
        read = {"from_id": user_id, "peer_id": user_id, "read_message_id": last["id"]}
        self.emit("message_read", read | {"conversation_message_id": last["conversation_message_id"]})

    def customer_types(self, user_id: int = 601) -> None:
        self.emit("message_typing_state", {"state": "typing", "from_id": user_id, "to_id": -self.group_id})

    def customer_blocks(self, user_id: int = 601, *, code: int = 901) -> None:
        self.blocked[user_id] = code
        self.emit("message_deny", {"user_id": user_id})

    def customer_allows(self, user_id: int = 601, *, key: str = "") -> None:
        self.blocked.pop(user_id, None)
        self._person(user_id)
        self.emit("message_allow", {"user_id": user_id, "key": key})

    def host_file(self, content: bytes, *, name: str, mime: str = "application/octet-stream") -> str:
        """Address of a file as attachments name it."""
        self.hosted[name] = Upload(name, content, mime)
        return f"{self.url}/file/{name}"

    # --- events -----------------------------------------------------------------------------

    def emit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """An event of any kind, to the long poll and to the callback servers."""
        event = {
            "type": kind, "object": body, "group_id": self.group_id, "v": "5.199",
            "event_id": f"ev{len(self.events) + 1:08x}",
        }  # fmt: skip
        return self.repeat(event)

    def repeat(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same event once more, with the same `event_id`, as VK does after a reconnect."""
        self.events.append(event)
        for server in self.callbacks.values():
            self._enqueue(server, event)
        self._changed.set()
        self._changed = asyncio.Event()
        return event

    def lose_history(self) -> None:
        """The queue forgets what nobody has read: the next poll from there is told `failed: 1`."""
        self.first_ts = len(self.events) + 1
        self.events.append({"type": "lost", "object": {}, "event_id": "lost"})

    def expire_key(self) -> None:
        """The next poll is told `failed: 2`."""
        self.key = f"key{int(self.key[3:]) + 1}"

    async def _long_poll(self, request: web.Request) -> web.StreamResponse:
        return await self.answer(request, "a_check", lambda: self._check(dict(request.query)))

    async def _check(self, query: dict[str, str]) -> Result:
        if query.get("key") != self.key:
            return 200, {"failed": 2}
        ts = int(query.get("ts") or 0)
        if ts < self.first_ts or ts > len(self.events):
            return 200, {"failed": 1, "ts": len(self.events)}
        until = time.monotonic() + min(float(query.get("wait", 25)), 90)
        while len(self.events) <= ts and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return 200, {"ts": str(len(self.events)), "updates": self.events[ts:]}

    # --- the API ----------------------------------------------------------------------------

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
        given = {"out": 1, "random_id": random, "payload": values.get("payload")}
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

    def _attached(self, name: str) -> Upload:
        saved = {key: upload for key, upload in self.uploads.items() if key.startswith("saved:")}
        if f"saved:{name}" not in saved:
            raise Refused(100, "One of the parameters specified was missing or invalid: attachment")
        return saved[f"saved:{name}"]

    # --- uploads ----------------------------------------------------------------------------

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

    # --- Callback API -----------------------------------------------------------------------

    async def _confirm(self, server: dict[str, Any]) -> None:
        body = {"type": "confirmation", "group_id": self.group_id}
        async with aiohttp.ClientSession() as session, session.post(server["url"], json=body) as answer:
            if (await answer.text()) != self.confirmation:
                raise Refused(2000, "Servers number limit is reached or the server is not confirmed")

    def _enqueue(self, server: dict[str, Any], event: dict[str, Any]) -> None:
        server["queue"].append(event)
        if not server["busy"]:
            server["busy"] = True
            self.spawn(lambda: self._deliver(server))

    async def _deliver(self, server: dict[str, Any]) -> None:
        async with aiohttp.ClientSession() as session:
            while server["queue"]:
                event, attempt = server["queue"].popleft(), 0
                while not await self._post(session, server, event, attempt):
                    attempt += 1
                    await asyncio.sleep(min(2**attempt, 60) * self.retry_unit)
        server["busy"] = False

    async def _post(
        self, session: aiohttp.ClientSession, server: dict[str, Any], event: dict[str, Any], attempt: int
    ) -> bool:
        """One call; taken only when it is answered 200 and the word `ok`."""
        headers = {"X-Retry-Counter": str(attempt)} if attempt else {}
        body = event | ({"secret": server["secret"]} if server["secret"] else {})
        status, taken = 0, False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(server["url"], json=body, headers=headers) as answer:
                status, taken = answer.status, answer.status == 200 and await answer.text() == "ok"
        self.callback_log.append((event["event_id"], attempt, status))
        return taken

    # --- records ----------------------------------------------------------------------------

    def _person(self, user_id: int, name: str = "Пётр Иванов") -> None:
        first, _, last = name.partition(" ")
        self.people.setdefault(user_id, {
            "id": user_id, "first_name": first, "last_name": last, "screen_name": f"id{user_id}",
            "photo_200": f"{self.url}/file/avatar{user_id}.jpg",
        })  # fmt: skip

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _message(self, peer: int, author: int, text: str) -> dict[str, Any]:
        self._message_id += 1
        return {
            "id": 0 if peer > 2_000_000_000 else self._message_id, "date": self._tick(), "peer_id": peer,
            "from_id": author, "text": text, "out": 0, "random_id": 0, "attachments": [], "fwd_messages": [],
            "conversation_message_id": len(self.messages.get(peer, [])) + 1, "important": False,
            "is_hidden": False, "version": 10000000 + self._message_id,
        }  # fmt: skip


def _slice(items: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    start, count = int(values.get("offset") or 0), min(int(values.get("count") or 20), 200)
    return items[start : start + count]


def main() -> None:
    parser = argparse.ArgumentParser(description="A VK community to play with.")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    note = (
        f"token: {TOKEN}  group: {GROUP}\n"
        'write:  curl -d \'{"user_id": 7, "text": "Hello"}\' URL/control/customer_writes\n'
        "answers: curl URL/control/sent"
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_forever(FakeVk(port=given.port), note))


if __name__ == "__main__":
    main()
