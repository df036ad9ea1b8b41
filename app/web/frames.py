"""What the feed sends: a fact with the present state of what it is about, and who may see it.

Entities are loaded once for a batch of facts, whoever listens.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import people, teams
from app.core import facts
from app.core.facts import Position, Row
from channels import rest as channel_rest
from dialogs import access, queries
from dialogs.models import Dialog
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


@dataclass(slots=True)
class _Loaded:
    entities: dict[str, dict[UUID, Any]]
    dialogs: dict[UUID, frozenset[str]]
    tasks: dict[UUID, frozenset[str]]
    customers: dict[UUID, list[tuple[int, UUID]]]
    numbers: dict[UUID, int]


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


async def build(session: AsyncSession, rows: list[Row], *, epoch: UUID) -> list[Frame]:
    """Frames of the facts, in their order."""
    loaded = await _load(session, rows)
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


def _shown(row: Row) -> tuple[str, ...]:
    return () if row.type == "dialog.read" else _SHOWS.get(row.type.split(".")[0], ())


async def _load(session: AsyncSession, rows: list[Row]) -> _Loaded:
    wanted: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        for name in _shown(row):
            if f"{name}_id" in row.ids:
                wanted[name].add(row.ids[f"{name}_id"])
    customers = {row.ids["customer_id"] for row in rows if "customer_id" in row.ids}
    dialogs, numbers = await _dialogs_of(session, customers)
    ids = {row.ids["dialog_id"] for row in rows if "dialog_id" in row.ids}
    ids |= {dialog for found in dialogs.values() for _, dialog in found}
    readers: dict[str, Callable[[AsyncSession, Iterable[UUID]], Any]] = {
        "dialog": queries.dialogs,
        "message": queries.messages,
        "task": task_queries.tasks,
        "customer": queries.customers,
        "channel": _channels,
        "agent": _agents,
        "team": _teams,
    }
    entities = {name: await readers[name](session, found) for name, found in wanted.items() if found}
    return _Loaded(
        entities=entities,
        dialogs=await access.audiences(session, ids) if ids else {},
        tasks=await task_access.audiences(session, wanted["task"]) if wanted["task"] else {},
        customers=dialogs,
        numbers=numbers,
    )


async def _agents(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {agent.id: agent for agent in await people.list_all(session, ids=ids)}


async def _teams(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {team.id: team for team in await teams.list_all(session, ids=ids)}


async def _channels(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Any]:
    return {channel.id: channel for channel in await channel_rest.list_all(session, ids=ids)}


async def _dialogs_of(
    session: AsyncSession, customers: set[UUID]
) -> tuple[dict[UUID, list[tuple[int, UUID]]], dict[UUID, int]]:
    found: defaultdict[UUID, list[tuple[int, UUID]]] = defaultdict(list)
    numbers: dict[UUID, int] = {}
    if customers:
        query = select(Dialog.customer_id, Dialog.number, Dialog.id).where(Dialog.customer_id.in_(customers))
        for customer_id, number, dialog_id in await session.execute(query):
            found[customer_id].append((number, dialog_id))
            numbers[dialog_id] = number
    return found, numbers


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
    noun = row.type.split(".")[0]
    if row.type == "dialog.read":
        return frozenset({f"self:{row.ids['agent_id']}"})
    if noun == "inbound":
        return ADMINS
    if noun == "dialog":
        return loaded.dialogs.get(row.ids["dialog_id"], ADMINS)
    if noun in ("message", "attachment"):
        return _thread(row, loaded)
    if noun == "task":
        return loaded.tasks.get(row.ids["task_id"], ADMINS)
    if noun in ("customer", "identity"):
        return ADMINS.union(
            *(loaded.dialogs[dialog] for _, dialog in loaded.customers.get(row.ids["customer_id"], ()))
        )
    return STAFF


def _thread(row: Row, loaded: _Loaded) -> frozenset[str]:
    """Who sees a message: who sees its dialog, or a later one of the same customer."""
    own = loaded.numbers.get(row.ids["dialog_id"], 0)
    later = (dialog for number, dialog in loaded.customers.get(row.ids["customer_id"], ()) if number >= own)
    return ADMINS.union(*(loaded.dialogs[dialog] for dialog in later if dialog in loaded.dialogs))


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
        dialog = loaded.entities.get("dialog", {}).get(row.ids["dialog_id"])
        if dialog is not None:
            keys.add(f"channel:{dialog.channel_id}")
    return frozenset(keys)
