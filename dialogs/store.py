"""The hot path: storing one message of a customer with one prepared statement."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.core.db import RawConnection, RawPool
from channels.base import File, InboundMessage

PREVIEW = 160


class Duplicate(Exception):
    """This message was stored at the same moment, by another raw event."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an inbound message."""

    id: UUID
    seq: int
    customer_id: UUID
    dialog_id: UUID
    identity_id: UUID
    new_identity: bool
    new_dialog: bool


@dataclass(frozen=True, slots=True)
class Route:
    """What the channel says about its messages."""

    channel_id: UUID
    kind: str
    reopen: timedelta
    team_id: UUID | None
    """The only team that serves the channel, if it is only one."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message on its way into the thread."""

    message: InboundMessage
    route: Route
    inbound_id: int | None = None
    """The raw event it came from."""
    trace: str | None = None
    """The request that brought it."""
    settles: bool = False
    """The raw event holds nothing else: it is settled with the message, or nothing is stored."""
    customer_id: UUID | None = None
    """The customer a new identity belongs to, when something proved it."""
    thread_of: UUID | None = None
    """The customer whose thread it joins, when somebody else writes there."""


@cache
def statement() -> str:
    return Path(__file__).with_name("store_inbound.sql").read_text()


async def store(connection: RawConnection, incoming: Incoming) -> Stored | None:
    """Store a message; None when it is there already, `Duplicate` when it is coming in just now.

    After an exception the transaction is of no more use: roll it back.
    """
    try:
        stored = await store_many(connection, [incoming])
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "pk_message_keys":
            raise Duplicate from None
        raise
    return stored[0] if stored else None


async def store_many(connection: RawConnection | RawPool, incoming: Sequence[Incoming]) -> list[Stored]:
    """Store messages one after the other, all or none, in one round trip; leaves out what is there
    already and, of those that settle their raw event, what another has settled or whose turn it is not."""
    if not incoming:
        return []
    rows = await connection.fetchmany(statement(), [parameters(one) for one in incoming])
    if orphans := [row["orphan"] for row in rows if row["orphan"] is not None]:
        await connection.execute("delete from customers where id = any($1::uuid[])", orphans)
    return [Stored(**{name: row[name] for name in Stored.__dataclass_fields__}) for row in rows]


def parameters(incoming: Incoming) -> list[Any]:
    """Values of the statement's parameters, in their order."""
    message, route = incoming.message, incoming.route
    sender = message.sender
    return [
        route.channel_id,
        route.kind,
        sender.scope or str(route.channel_id),
        clean(sender.external_id),
        clean(sender.name)[:300],
        clean(sender.username)[:300],
        clean(sender.phone)[:50],
        clean(sender.email)[:300],
        clean(sender.locale)[:20],
        clean(message.text),
        clean(message.html) or None,
        clean(message.chat),
        clean(message.external_id),
        clean(message.reply_to),
        json(_meta(incoming)),
        route.reopen,
        preview(message),
        message.automatic,
        route.team_id,
        incoming.customer_id,
        incoming.inbound_id,
        message.occurred_at,
        json([file_values(file, position) for position, file in enumerate(message.files)]),
        [clean(alias) for alias in message.aliases],
        incoming.settles,
        incoming.thread_of,
    ]


def clean(text: str) -> str:
    """PostgreSQL stores everything but NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def json(value: Any) -> str:
    """JSON that PostgreSQL stores: every text in it cleaned."""
    return orjson.dumps(cleaned(value)).decode()


def cleaned(value: Any) -> Any:
    """The same with every text in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def preview(message: InboundMessage) -> str:
    """Beginning of the text on one line; a picture without text says so by its kind (`[image]`)."""
    text = " ".join(clean(message.text).split())[:PREVIEW]
    if text:
        return text
    if message.files:
        return f"[{message.files[0].kind}]"
    return f"[{message.unsupported or 'empty'}]"


def _meta(incoming: Incoming) -> dict[str, Any]:
    message = incoming.message
    meta = dict(message.meta)
    if incoming.trace:
        meta["trace"] = incoming.trace
    if message.unsupported:
        meta["unsupported"] = message.unsupported
    if message.automatic:
        meta["automatic"] = True
    return meta


def file_values(file: File, position: int) -> dict[str, Any]:
    """What is stored of a file that is to be fetched."""
    values = asdict(file)
    values["position"] = position
    values["mime"] = file.mime or "application/octet-stream"
    values["state"], values["error"] = "pending", None
    if reason := file.ref.get("unavailable"):
        values["state"], values["error"] = "unavailable", str(reason)
    return values
