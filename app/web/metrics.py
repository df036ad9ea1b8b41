"""`/metrics`: what this process counted, and how the database is, looked at when somebody asks.

The look is bounded: kept for seconds, ended after two, counts end at ten thousand. When the database
does not answer, the rest is still told.
"""

import asyncio
import time
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import figures, queues
from app.core import metrics
from app.core.db import Database
from app.core.errors import Forbidden, Unauthenticated
from app.core.metrics import Family, sample

log = structlog.get_logger()
_KEEP = 5.0
_KEEP_SIZE = 60.0
_PATIENCE = 2.0

_CHANNELS = """
select c.id::text, c.kind, c.state, extract(epoch from now() - c.seen_at)::float8 as silent,
       case when coalesce(c.settings ->> 'transport', 'poll') = 'poll' and u.channel_id is not null
            then coalesce(u.held_until > now(), false) end as held
from channels c left join channel_cursors u on u.channel_id = c.id
order by c.id limit 500
"""
_SIZE = "select pg_database_size(current_database())"


class Look:
    """How the database was a few seconds ago, for however many scrapers."""

    def __init__(self) -> None:
        self._found: list[Family] = []
        self._until = self._size_until = 0.0
        self._size = 0
        self._looking: asyncio.Task[list[Family]] | None = None

    async def families(self, database: Database) -> list[Family]:
        """Within two seconds, whatever the database does: a look that hangs is left to itself."""
        if self._looking is None and time.monotonic() >= self._until:
            self._looking = asyncio.create_task(self._look(database))
        looking = self._looking
        if looking is not None:
            await asyncio.wait([looking], timeout=_PATIENCE)
            if not looking.done():
                return [_up(0)]
            self._found, self._until = looking.result(), time.monotonic() + _KEEP
            self._looking = None
        return self._found

    async def _look(self, database: Database) -> list[Family]:
        try:
            async with asyncio.timeout(_PATIENCE), database.raw.acquire() as connection:
                waiting = await connection.fetchrow(queues.LOOK)
                channels = await connection.fetch(_CHANNELS)
                if time.monotonic() >= self._size_until:
                    self._size = await connection.fetchval(_SIZE)
                    self._size_until = time.monotonic() + _KEEP_SIZE
        except Exception as error:
            log.warning("metrics.no_look", reason=type(error).__name__)
            return [_up(0)]
        return [_up(1), *_queues(waiting), *_channels(channels), _size(self._size)]


def _up(value: float) -> Family:
    return sample("database_up", "Whether the database answered this process within two seconds.", value)


def _size(value: float) -> Family:
    return sample("database_size_bytes", "Size of the database, at most a minute old.", value)


def _queues(row: Any) -> list[Family]:
    def age(name: str) -> float:
        return max(0.0, row[name] or 0.0)

    depth = {
        ("inbound_new",): row["inbound_new"],
        ("inbound_quarantined",): row["inbound_quarantined"],
        ("outbox_queued",): row["outbox_queued"],
        ("outbox_paused",): row["outbox_paused"],
        ("outbox_sending",): row["outbox_sending"],
        ("attachments",): row["attachments"],
    }
    ages = ("inbound_new", "inbound_quarantined", "outbox_queued", "outbox_sending", "attachments")
    oldest = {(name,): age(f"{name}_age") for name in (*ages, "snoozed", "overdue")}
    return [
        sample("queue_depth", f"What waits in the database, counted to {queues.MOST:,}.", depth, "queue"),
        sample("queue_age_seconds", "Since when the oldest of it could have been done.", oldest, "queue"),
        sample("workers", "Processes with loops that live.", row["workers"]),
        sample("feed_horizon_age_seconds", "Oldest writing transaction: no reader of the log goes further.",
               age("horizon_age")),
        sample("database_transaction_age_seconds", "Oldest transaction of all.", age("transaction_age")),
    ]  # fmt: skip


def _channels(rows: list[Any]) -> list[Family]:
    names = ("channel", "kind")
    keys = [(row["id"], row["kind"]) for row in rows]
    active = {key: float(row["state"] == "active") for key, row in zip(keys, rows, strict=True)}
    held = {key: float(row["held"]) for key, row in zip(keys, rows, strict=True) if row["held"] is not None}
    silent = {key: row["silent"] for key, row in zip(keys, rows, strict=True) if row["silent"] is not None}
    return [
        sample(
            "channel_active", "1: the channel works; 0: paused, or refused by its platform.", active, *names
        ),
        sample("channel_silent_seconds", "Since the last contact with the platform.", silent, *names),
        sample("channel_lease_held", "Of channels that are pulled. 1: some process does.", held, *names),
    ]


async def _metrics(request: Request) -> Response:
    state = request.app.state
    token = state.settings.metrics_token
    peer = request.client.host if request.client else ""
    if not metrics.may_read(token, peer=peer, authorization=request.headers.get("authorization", "")):
        if token:
            raise Unauthenticated("Send the token of OTKLIK_METRICS_TOKEN as a bearer.")
        raise Forbidden("Without OTKLIK_METRICS_TOKEN figures are told on this machine only.")
    consoles = sample("consoles", "Consoles connected to this process.", len(state.feed.hub.connections))
    found = await state.look.families(state.database)
    body = metrics.text(*figures.of_process(state.database, state.settings), consoles, *found)
    return Response(body, media_type=metrics.CONTENT_TYPE, headers={"Cache-Control": "no-store"})


routes = [Route("/metrics", _metrics, name="metrics")]
