"""`/hooks/{key}`: platforms call us. Verify, store, commit, answer; understanding comes afterwards.

The hottest door, so it stands before everything the other endpoints need: plain ASGI.
The key is unguessable, and each adapter also verifies what its platform sends as proof.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.clock import now
from app.core.config import Settings
from app.core.errors import AppError, Invalid, NotFound
from app.core.kept import Kept
from app.web import admission, limits, problems
from channels import accounts
from channels.base import Adapter, WebhookReply, WebhookRequest
from channels.models import Channel

PATH = "/hooks/"
_KEEP = 3.0


@dataclass(frozen=True, slots=True)
class Door:
    """Behind a webhook key: a channel and its adapter, which verifies."""

    channel: Channel
    adapter: Adapter


class Doors:
    """Channels by webhook key, remembered for three seconds; unknown keys as well."""

    def __init__(self) -> None:
        self._known: Kept[str, Door] = Kept(seconds=_KEEP)
        self._unknown: Kept[str, bool] = Kept(seconds=_KEEP)

    async def find(self, state: Any, key: str) -> Door | None:
        door = self._known.find(key)
        if door is not None or self._unknown.find(key):
            return door
        async with state.database.transaction() as session:
            channel = await session.scalar(select(Channel).where(Channel.webhook_key == key))
        if channel is None:
            self._unknown.put(key, True)
            return None
        return await self._open(state, channel)

    async def renew(self, session: AsyncSession, state: Any) -> None:
        """Read the doors in use anew."""
        if keys := self._known.in_use():
            for channel in await session.scalars(select(Channel).where(Channel.webhook_key.in_(keys))):
                with suppress(Exception):  # whoever calls at a broken one meets the fault, nobody else
                    await self._open(state, channel)

    async def _open(self, state: Any, channel: Channel) -> Door:
        door = Door(channel, await accounts.open(channel, state.box, state.settings))
        self._known.put(channel.webhook_key, door)
        return door


class Hooks:
    """Pure ASGI: answers webhooks, lets everything else pass."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._limit = settings.max_body_bytes
        self._gate = admission.Gate("webhooks", settings.max_waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PATH):
            await self._answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = limits.request_id(headers.get("x-request-id", ""))
        scope["otklik.request_id"], scope["endpoint"] = request_id, Hooks
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            reply = await self._admitted(scope, headers, receive)
        except AppError as error:
            await problems.of_error(error)(scope, receive, watch)
        except HTTPException as error:
            await problems.of_http(error)(scope, receive, watch)
        except Exception as error:
            await problems.of_unexpected(error, request_id=request_id)(scope, receive, watch)
        else:
            await _send(reply, watch)
        limits.note(scope, status, time.perf_counter() - began)

    async def _admitted(self, scope: Scope, headers: dict[str, str], receive: Receive) -> WebhookReply:
        if not self._gate.enter():
            raise admission.full()
        try:
            return await self._reply(scope, headers, receive)
        finally:
            self._gate.leave()

    async def _reply(self, scope: Scope, headers: dict[str, str], receive: Receive) -> WebhookReply:
        if scope["method"] not in ("GET", "POST"):
            raise HTTPException(405, "A webhook is called by POST.", headers={"Allow": "GET, POST"})
        if limits.has_nul(scope):
            raise Invalid("The address must not contain NUL characters.")
        state = scope["app"].state
        door = await state.doors.find(state, scope["path"][len(PATH) :])
        if door is None:
            raise NotFound  # before the body, for which a stranger could let us wait
        body = await self._body(receive)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        reply: WebhookReply = door.adapter.webhook(WebhookRequest(body=body, headers=headers, query=query))
        if reply.events:
            await _store(state, door.channel, reply)
        return reply

    async def _body(self, receive: Receive) -> bytes:
        bounded = limits.bounded(receive, self._limit)
        parts = []
        while True:
            message = await bounded()
            if message["type"] != "http.request":
                raise HTTPException(400, "The body did not come to its end.")
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)


async def _send(reply: WebhookReply, send: Send) -> None:
    headers = [
        (b"content-type", f"{reply.content_type}; charset=utf-8".encode()),
        (b"content-length", str(len(reply.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _store(state: Any, channel: Channel, reply: WebhookReply) -> None:
    stored = await state.intake.keep(channel.id, reply.events)
    if accounts.contact_due(channel):
        async with state.database.transaction() as session:
            await accounts.contact(session, channel)
        channel.seen_at, channel.error = now(), None  # remembered with the door: once is enough
    if stored and state.inbox_take is not None:
        state.inbox_take(channel.kind, stored)
