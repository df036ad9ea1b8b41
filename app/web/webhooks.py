"""`/hooks/{key}`: platforms call us. Verify, store, commit, answer; understanding comes afterwards.

A plain Starlette route: this is the hottest door. The key is unguessable, and each adapter also
verifies what its platform sends as proof.
"""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core.clock import now
from app.core.db import WAIT_SECONDS
from app.core.errors import NotFound
from channels import accounts, inbound
from channels.base import Adapter, WebhookReply, WebhookRequest
from channels.models import Channel

_KEEP = 3.0
_MEMORY = 1000


@dataclass(frozen=True, slots=True)
class Door:
    """Behind a webhook key: a channel and its adapter, which verifies."""

    channel: Channel
    adapter: Adapter


class Doors:
    """Channels by webhook key, remembered for three seconds; unknown keys as well."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Door | None]] = {}

    async def find(self, state: Any, key: str) -> Door | None:
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        async with state.database.transaction() as session:
            channel = await session.scalar(select(Channel).where(Channel.webhook_key == key))
        door = None
        if channel is not None:
            door = Door(channel, await accounts.open(channel, state.box, state.settings))
        if len(self._known) >= _MEMORY:
            self._known.clear()
        self._known[key] = (time.monotonic() + _KEEP, door)
        return door


async def _hook(request: Request) -> Response:
    state = request.app.state
    door = await state.doors.find(state, request.path_params["key"])
    if door is None:
        raise NotFound
    reply = door.adapter.webhook(
        WebhookRequest(
            body=await request.body(),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw},
            query=dict(request.query_params) if request.scope["query_string"] else {},
        )
    )
    if reply.events:
        await _store(state, door.channel, reply)
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type)


async def _store(state: Any, channel: Channel, reply: WebhookReply) -> None:
    channel_id, kind = channel.id, channel.kind
    async with state.database.raw.acquire(timeout=WAIT_SECONDS) as connection:
        stored = await inbound.store_raw(connection, channel_id, reply.events)
    if accounts.contact_due(channel):
        async with state.database.transaction() as session:
            await accounts.contact(session, channel)
        channel.seen_at, channel.error = now(), None  # remembered with the door: once is enough
    if stored and state.inbox_take is not None:
        state.inbox_take(kind, stored)


routes = [Route("/hooks/{key}", _hook, methods=["GET", "POST"], name="webhook")]
