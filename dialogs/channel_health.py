"""How each channel is: the silence of its platform, what waits to be understood and what waits to leave."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.agents.deps import Admin
from app.core.db import RawConnection, RawPool
from app.core.deps import Db

SILENT_SECONDS = 180
"""A pulled channel makes contact every minute at least."""
MOST = 1000

_HEALTH = f"""
select c.id as channel_id, c.kind, c.name, c.state, c.error, c.error_code,
       u.channel_id is not null and coalesce(c.settings ->> 'transport', 'poll') = 'poll' as pulled,
       coalesce(u.held_until > now(), false) as held,
       extract(epoch from now() - coalesce(c.seen_at, c.created_at))::float8 as silent_seconds,
       greatest(0, extract(epoch from c.frozen_until - now()))::float8 as frozen_seconds,
       came.waiting as waiting_in, came.oldest as waiting_in_seconds,
       (select count(*) from (
          select from messages m where m.channel_id = c.id and m.status = 'queued' and m.send_after <= now()
          limit {MOST}) due) as waiting_out,
       (select extract(epoch from now() - m.send_after)::float8
        from messages m
        where m.channel_id = c.id and m.status = 'queued' and m.send_after <= now()
        order by greatest(m.send_after, m.next_attempt_at) limit 1) as waiting_out_seconds
from channels c
left join channel_cursors u on u.channel_id = c.id
cross join lateral (
    select count(*) as waiting, extract(epoch from now() - min(received_at))::float8 as oldest
    from (select received_at from inbound i where i.channel_id = c.id and i.state = 'new' limit {MOST}) i
) came
order by c.name, c.id
"""  # noqa: S608 - numbers only

Condition = Literal["ok", "paused", "stopped", "failing", "unpulled", "silent", "frozen"]


class ChannelHealth(BaseModel):
    """`failing`: calls fail; `unpulled`: no process asks for its messages; `silent`: the platform has not
    answered for three minutes; `frozen`: the platform asked for a pause."""

    channel_id: UUID
    condition: Condition
    silent_seconds: float = Field(description="Since the last contact.")
    frozen_seconds: float | None = Field(description="Until it may send again.")
    waiting_in: int = Field(description=f"Events to be understood; {MOST} means as many or more.")
    waiting_in_seconds: float | None = Field(description="Age of the oldest of them.")
    waiting_out: int = Field(description=f"Answers whose time has come; {MOST} means as many or more.")
    waiting_out_seconds: float | None = Field(description="How long the first of them has waited.")


async def look(connection: RawConnection | RawPool) -> list[tuple[Any, ChannelHealth]]:
    """Each channel's row and its health, by name."""
    fields = set(ChannelHealth.model_fields) - {"condition"}
    return [
        (row, ChannelHealth(condition=_condition(row), **{name: row[name] for name in fields}))
        for row in await connection.fetch(_HEALTH)
    ]


def _condition(row: Any) -> Condition:
    if row["state"] != "active":
        return "stopped" if row["state"] == "stopped" else "paused"
    if row["error"]:
        return "failing"
    if row["pulled"] and not row["held"]:
        return "unpulled"
    if row["pulled"] and row["silent_seconds"] > SILENT_SECONDS:
        return "silent"
    return "frozen" if row["frozen_seconds"] else "ok"


router = APIRouter(tags=["Channels"])


@router.get("/channel-health", operation_id="channel_health")
async def channel_health(caller: Admin, database: Db) -> list[ChannelHealth]:
    """How all channels are, by name. Administrators only."""
    return [health for _, health in await look(database.raw)]
