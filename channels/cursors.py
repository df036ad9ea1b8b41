"""Who pulls a channel, and how far it has come: a lease with a fencing number.

Each take-over raises the number; whoever comes with an older one stores nothing, so a pull loop that
slept through its lease cannot move the cursor back.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from channels.errors import Fenced

_ACQUIRE = text("""
insert into channel_cursors (channel_id, holder, fence, held_until)
values (:channel_id, :holder, 1, clock_timestamp() + :ttl)
on conflict (channel_id) do update
set holder = excluded.holder, fence = channel_cursors.fence + 1, held_until = excluded.held_until
where channel_cursors.held_until is null
   or channel_cursors.held_until < clock_timestamp()
   or channel_cursors.holder = excluded.holder
returning fence, value
""")
_RENEW = text("""
update channel_cursors set held_until = clock_timestamp() + :ttl
where channel_id = :channel_id and fence = :fence and holder is not null
returning fence
""")
_RELEASE = text("""
update channel_cursors set holder = null, held_until = null
where channel_id = :channel_id and fence = :fence
""")
_ADVANCE = text("""
update channel_cursors set value = cast(:value as jsonb)
where channel_id = :channel_id and fence = :fence and holder is not null
returning fence
""")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to pull: `fence` goes with every step, `cursor` is where to begin."""

    channel_id: UUID
    fence: int
    cursor: dict[str, Any]


async def acquire(session: AsyncSession, channel_id: UUID, *, holder: str, ttl: timedelta) -> Lease | None:
    """Take the channel, or None while another holds it. `holder` is unique per process and loop."""
    found = await session.execute(_ACQUIRE, {"channel_id": channel_id, "holder": holder, "ttl": ttl})
    row = found.one_or_none()
    return Lease(channel_id, row.fence, _json(row.value)) if row else None


async def renew(session: AsyncSession, lease: Lease, *, ttl: timedelta) -> None:
    """Hold it longer; raises `Fenced` when it is no longer ours."""
    found = await session.execute(_RENEW, {"channel_id": lease.channel_id, "fence": lease.fence, "ttl": ttl})
    if found.one_or_none() is None:
        raise Fenced


async def advance(session: AsyncSession, lease: Lease, *, cursor: dict[str, Any]) -> None:
    """Store the cursor, in the transaction that stored its events; raises `Fenced` when not ours."""
    value = orjson.dumps(cursor).decode()
    found = await session.execute(
        _ADVANCE, {"channel_id": lease.channel_id, "fence": lease.fence, "value": value}
    )
    if found.one_or_none() is None:
        raise Fenced


async def release(session: AsyncSession, lease: Lease) -> None:
    """Give it back at once; does nothing when it is no longer ours."""
    await session.execute(_RELEASE, {"channel_id": lease.channel_id, "fence": lease.fence})


def _json(value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(value) if isinstance(value, str | bytes) else value
    return loaded
