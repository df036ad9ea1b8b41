"""What the feed sends: a fact with the present state of what it is about, and who may see it.

Entities are loaded once for a batch of facts, whoever listens: dialogs and messages, which nearly every
fact is about, with one statement each on a raw connection, the rest in a transaction.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import people, teams
from app.core import facts
from app.core.db import Database, RawConnection, RawPool
from app.core.facts import Position, Row
from channels import rest as channel_rest
from dialogs import access, queries, snapshot
from dialogs.snapshot import Talks
from tasks import access as task_access
from tasks import queries as task_queries

log = structlog.get_logger()

STAFF = frozenset({"staff"})
ADMINS = frozenset({access.ADMIN})


@dataclass(frozen=True, slots=True)
class Frame:
    """One fact as it goes out. `audience`: keys of who sees it; `was`: of who saw it until now."""

    position: Position
    type: str
    ids: dict[str, UUID]
    audience: frozenset[str]
    was: frozenset[str]
    fact: bytes
    hidden: bytes | None
    """What those are told who see it no more."""

    @property
    def noun(self) -> str:
        return self.type.partition(".")[0]


@dataclass(slots=True)
class _Loaded:
    talks: Talks
    entities: dict[str, dict[UUID, Any]]
    tasks: dict[UUID, frozenset[str]]


def _default(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.__dict__
    if isinstance(value, UUID):  # asyncpg's own subclass
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError


def dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=_default, option=orjson.OPT_UTC_Z)


async def build(
    database: Database, rows: list[Row], *, epoch: UUID, connection: RawConnection | None = None
) -> list[Frame]:
    """Frames of the facts, in their order. `connection`: read on it what most facts are about."""
    loaded = await _load(database, connection or database.raw, rows)
    return [_whole_or_bare(row, loaded, epoch) for row in rows]


def _whole_or_bare(row: Row, loaded: _Loaded, epoch: UUID) -> Frame:
    """A fact whose entity cannot be written goes out without it, and stops nothing after it."""
    try:
        return _frame(row, loaded, epoch)
    except (TypeError, ValueError):
        log.exception("frames.entity_left_out", fact=row.type, id=row.position.id)
        return _frame(row, replace(loaded, entities={}), epoch)


_SHOWS: dict[str, tuple[str, ...]] = {
    "dialog": ("dialog",),
    "message": ("dialog", "message"),
    "attachment": ("dialog", "message"),
    "task": ("task",),
    "customer": ("customer",),
    "identity": ("customer",),
    "channel": ("channel",),
    "agent": ("agent",),
    "team": ("team",),
}


_OF_DIALOGS = frozenset({"dialog", "message", "attachment"})


def _noun(row: Row) -> str:
    return row.type.partition(".")[0]


def _shown(row: Row) -> tuple[str, ...]:
    return () if row.type == "dialog.read" else _SHOWS.get(_noun(row), ())


async def _load(database: Database, connection: RawConnection | RawPool, rows: list[Row]) -> _Loaded:
    wanted: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        for name in _shown(row):
            if f"{name}_id" in row.ids:
                wanted[name].add(row.ids[f"{name}_id"])
    talks = await _talks(connection, rows, wanted["customer"])
    loaded = _Loaded(talks=talks, entities={}, tasks={})
    if wanted["message"]:
        loaded.entities["message"] = await snapshot.messages(connection, wanted["message"])
    loaded.entities["dialog"] = {id: talk.shown for id, talk in talks.by_id.items()}
    rare = {name: found for name, found in wanted.items() if name in _RARE and found}
    if rare:
        async with database.transaction() as session:
            for name, found in rare.items():
                loaded.entities[name] = await _RARE[name](session, found)
            if "task" in rare:
                loaded.tasks = await task_access.audiences(session, rare["task"])
    return loaded


async def _talks(connection: RawConnection | RawPool, rows: list[Row], customers: set[UUID]) -> Talks:
    ids = {row.ids["dialog_id"] for row in rows if _noun(row) in _OF_DIALOGS and row.type != "dialog.read"}
    return await snapshot.dialogs(connection, ids, customers=customers) if ids or customers else Talks()


async def _agents(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {agent.id: agent for agent in await people.list_all(session, ids=ids)}


async def _teams(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {team.id: team for team in await teams.list_all(session, ids=ids)}


async def _channels(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {channel.id: channel for channel in await channel_rest.list_all(session, ids=ids)}


_RARE: dict[str, Callable[[AsyncSession, Iterable[UUID]], Awaitable[dict[UUID, Any]]]] = {
    "task": task_queries.tasks,
    "customer": queries.customers,
    "channel": _channels,
    "agent": _agents,
    "team": _teams,
}


def _frame(row: Row, loaded: _Loaded, epoch: UUID) -> Frame:
    audience = _audience(row, loaded)
    was = audience | _former(row, loaded)
    return Frame(
        position=row.position,
        type=row.type,
        ids=row.ids,
        audience=audience,
        was=was,
        fact=_fact(row, loaded, epoch),
        hidden=_hidden(row, epoch) if was != audience else None,
    )


def _fact(row: Row, loaded: _Loaded, epoch: UUID) -> bytes:
    body: dict[str, Any] = {
        "cursor": facts.encode(row.position, epoch=epoch),
        "type": row.type,
        "at": row.at,
        "actor": {"kind": row.actor_kind, "id": row.actor_id},
        **row.ids,
        "data": {key: value for key, value in row.data.items() if not key.startswith("from_guest")},
    }
    for name in _shown(row):
        entity = loaded.entities.get(name, {}).get(row.ids.get(f"{name}_id"))  # type: ignore[arg-type]
        if entity is not None:
            body[name] = entity
    return dumps(body)


def _hidden(row: Row, epoch: UUID) -> bytes:
    noun = "task" if row.type.startswith("task.") else "dialog"
    body = {
        "cursor": facts.encode(row.position, epoch=epoch),
        "type": f"{noun}.hidden",
        "at": row.at,
        "actor": {"kind": "system", "id": None},
        f"{noun}_id": row.ids.get(f"{noun}_id"),
        "data": {},
    }
    return dumps(body)


def _audience(row: Row, loaded: _Loaded) -> frozenset[str]:
    noun = _noun(row)
    if row.type == "dialog.read":
        return frozenset({f"self:{row.ids['agent_id']}"})
    if noun == "inbound":
        return ADMINS
    if noun == "dialog":
        return loaded.talks.audience(row.ids["dialog_id"])
    if noun in ("message", "attachment"):
        return loaded.talks.thread(row.ids["dialog_id"])
    if noun == "task":
        return loaded.tasks.get(row.ids["task_id"], ADMINS)
    if noun in ("customer", "identity"):
        return loaded.talks.customer(row.ids["customer_id"])
    return STAFF


def _former(row: Row, loaded: _Loaded) -> frozenset[str]:
    """Keys of those who saw it before this fact, from its `from_…` values."""
    data = row.data
    keys = {f"agent:{id}" for id in data.get("from_guest_ids", ())}
    keys |= {f"team:{id}" for id in data.get("from_guest_team_ids", ())}
    for field, key in (
        ("from_assignee_id", "agent"),
        ("from_owner_id", "agent"),
        ("from_team_id", "team"),
        ("from_channel_id", "channel"),
    ):
        if data.get(field):
            keys.add(f"{key}:{data[field]}")
    if row.type == "dialog.assigned" and not data.get("from_assignee_id") and not data.get("from_team_id"):
        talk = loaded.talks.by_id.get(row.ids["dialog_id"])
        if talk is not None:
            keys.add(f"channel:{talk.shown['channel_id']}")
    return frozenset(keys)
