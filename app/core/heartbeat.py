"""Signs of life: a process with loops writes one every few seconds, readiness and `doctor` read them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import RawConnection, RawPool
from app.core.models import Heartbeat

EVERY = 5.0
FRESH = timedelta(seconds=30)
_KEPT = timedelta(hours=1)

_FRESH = """
select name, seen_at, detail from heartbeats where seen_at > now() - $1::interval order by name
"""


@dataclass(frozen=True, slots=True)
class Sign:
    """A process that was alive within the last half minute."""

    name: str
    seen_at: datetime
    detail: dict[str, Any]


async def beat(session: AsyncSession, name: str, *, detail: dict[str, Any]) -> None:
    """Say that the process `name` lives; forgets those that have long been silent."""
    statement = insert(Heartbeat).values(name=name, detail=detail)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"seen_at": func.now(), "detail": statement.excluded.detail}
        )
    )
    await session.execute(delete(Heartbeat).where(Heartbeat.seen_at < func.now() - _KEPT))


async def end(session: AsyncSession, name: str) -> None:
    """The process stops."""
    await session.execute(delete(Heartbeat).where(Heartbeat.name == name))


async def fresh(connection: RawConnection | RawPool) -> list[Sign]:
    """Processes with loops that live now."""
    rows = await connection.fetch(_FRESH, FRESH)
    return [Sign(row["name"], row["seen_at"], orjson.loads(row["detail"])) for row in rows]
