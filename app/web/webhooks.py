"""`/hooks/{key}`: platforms call us. Verify, store, commit, answer; understanding comes afterwards.

A plain Starlette route: this is the hottest door. The key is unguessable, and each adapter also
verifies what its platform sends as proof.
"""

import time
from typing import Any
from uuid import UUID

from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core.db import Database
from app.core.errors import NotFound
from channels import accounts, inbound
from channels.base import WebhookReply, WebhookRequest
from channels.models import Channel

_KEEP = 3.0
_MEMORY = 1000


class Doors:
    """Channels by webhook key, remembered for three seconds; unknown keys as well."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Channel | None]] = {}

    async def find(self, database: Database, key: str) -> Channel | None:
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        async with database.transaction() as session:
            channel = await session.scalar(select(Channel).where(Channel.webhook_key == key))
        if len(self._known) >= _MEMORY:
            self._known.clear()
        self._known[key] = (time.monotonic() + _KEEP, channel)
        return channel


async def _hook(request: Request) -> Response:
    app: Starlette = request.app
    channel = await app.state.doors.find(app.state.database, request.path_params["key"])
    if channel is None:
        raise NotFound
    adapter = await accounts.open(channel, app.state.box, app.state.settings)
    reply = adapter.webhook(
        WebhookRequest(
            body=await request.body(),
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(request.query_params),
        )
    )
    if reply.events:
        await _store(app.state, channel, reply)
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type)


async def _store(state: Any, channel: Channel, reply: WebhookReply) -> None:
    channel_id: UUID = channel.id
    async with state.database.transaction() as session:
        await inbound.store(session, channel_id, reply.events)
        await accounts.contact(session, channel)
    if state.inbox_wake is not None:
        state.inbox_wake(channel.kind)


routes = [Route("/hooks/{key}", _hook, methods=["GET", "POST"], name="webhook")]
