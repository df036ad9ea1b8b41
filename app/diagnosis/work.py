"""Findings about the work: queues, processes with loops, channels."""

from collections.abc import Iterator
from typing import Any

import orjson

from app import queues
from app.core.db import RawConnection
from app.diagnosis.finding import Finding

QUEUES = {
    "inbound_new": ("inbox", 60),
    "outbox_queued": ("outbox", 300),
    "outbox_sending": ("reap", 60),
    "attachments": ("media", 600),
    "snoozed": ("snoozed", 120),
    "overdue": ("overdue", 120),
}
"""Which loop takes a queue, and after how many seconds it is late."""
SILENT = 600

_WORKERS = """
select name, detail, extract(epoch from now() - seen_at)::float8 as age,
       seen_at > now() - interval '30 s' as alive
from heartbeats order by name
"""
_CHANNELS = """
select c.id, c.kind, c.name, c.state, coalesce(c.error, '') as error,
       u.channel_id is not null as pulled, u.holder,
       extract(epoch from now() - c.seen_at)::float8 as age, coalesce(u.held_until > now(), false) as held,
       coalesce(c.settings ->> 'transport', 'poll') = 'poll' as polls
from channels c left join channel_cursors u on u.channel_id = c.id
order by c.name
"""


async def late(connection: RawConnection) -> list[Finding]:
    """Queues whose oldest should have been taken long ago; events nobody understands."""
    row = await connection.fetchrow(queues.LOOK)
    alive = [worker["name"] for worker in await connection.fetch(_WORKERS) if worker["alive"]]
    found = []
    for queue, (loop, limit) in QUEUES.items():
        age = row[f"{queue}_age"] or 0
        if age > limit:
            values = {"depth": row.get(queue, "?"), "age": round(age), "limit": limit, "loop": loop}
            values["workers"] = ", ".join(alive) or "–"
            found.append(Finding("broken", "queue_late", queue, values))
    if row["inbound_quarantined"]:
        values = {"depth": row["inbound_quarantined"], "age": round(row["inbound_quarantined_age"])}
        found.append(Finding("warning", "quarantined", "inbound", values))
    return found


async def workers(connection: RawConnection) -> list[Finding]:
    """Those that went silent, and loops that fail. That none lives at all is told among the checks."""
    found = []
    for row in await connection.fetch(_WORKERS):
        if not row["alive"]:
            found.append(Finding("warning", "worker_dead", row["name"], {"age": round(row["age"])}))
            continue
        detail = orjson.loads(row["detail"])
        if detail.get("failing"):
            loops = ", ".join(detail["failing"])
            found.append(Finding("broken", "loops_failing", row["name"], {"loops": loops}))
        for pool, (used, size) in detail.get("pools", {}).items():
            if used >= size:
                found.append(Finding("warning", "pool_full", f"{row['name']} ({pool})", {"size": size}))
    return found


async def channels(connection: RawConnection) -> list[Finding]:
    """Channels that do not work, or whose platforms do not answer."""
    rows = await connection.fetch(_CHANNELS)
    return [finding for row in rows for finding in _channel(row)]


def _channel(row: Any) -> Iterator[Finding]:
    where = f"{row['kind']} «{row['name']}» {row['id']}"
    if row["state"] == "stopped":
        yield Finding("broken", "channel_stopped", where, {"error": row["error"]})
    elif row["state"] == "paused":
        yield Finding("note", "channel_paused", where)
    elif row["pulled"] and row["polls"] and not row["held"]:
        yield Finding("broken", "channel_not_pulled", where)
    elif row["pulled"] and row["polls"] and (row["age"] or 0) > SILENT:
        values = {"age": round(row["age"]), "holder": row["holder"]}
        yield Finding("warning", "channel_silent", where, values)
