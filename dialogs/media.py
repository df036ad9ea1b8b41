"""Fetching the files of inbound messages afterwards; the text never waits for them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.config import Settings
from app.core.db import Database
from app.core.files import Files, new_key
from channels import calls
from channels.base import Adapter, DeliveryError, Gone
from channels.models import Inbound
from dialogs.inbox import Gateway
from dialogs.models import Attachment, Message
from dialogs.outbox import back_off

log = structlog.get_logger()

MAX_ATTEMPTS = 12
LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pending:
    """A file to fetch."""

    id: UUID
    message_id: UUID
    channel_id: UUID
    inbound_id: int | None
    name: str
    ref: dict[str, Any]
    attempts: int


DUE = "select min(next_attempt_at) from attachments where state = 'pending'"
"""When the next file may be fetched."""

_CLAIM = text("""
update attachments a
set attempts = a.attempts + 1, next_attempt_at = now() + :lease
from messages m
where m.id = a.message_id and a.id = (
    select c.id from attachments c join messages k on k.id = c.message_id
    where c.state = 'pending' and c.next_attempt_at <= now() and k.channel_id is not null
    order by c.next_attempt_at limit 1 for update of c skip locked)
returning a.id, a.message_id, m.channel_id, m.inbound_id, a.name, a.ref, a.attempts
""")


async def drain(db: Database, gateway: Gateway, files: Files, settings: Settings) -> int:
    """Fetch until nothing is left that this process may take; returns how many were tried."""
    count = 0
    while await turn(db, gateway, files, settings):
        count += 1
    return count


async def turn(db: Database, gateway: Gateway, files: Files, settings: Settings) -> bool:
    """Fetch one file; False when there is none to take."""
    async with db.transaction() as session:
        row = (await session.execute(_CLAIM, {"lease": LEASE})).first()
        if row is None:
            return False
        pending = Pending(*row)
        adapter = await gateway.adapter(session, pending.channel_id)
        payload = await _payload(session, pending)
    try:
        data, mime = await _bytes(adapter, pending, payload, limit=settings.max_file_bytes)
        key = new_key(pending.name)
        await files.put(key, data)
    except Gone as error:
        await _settle(db, pending, state="unavailable", error=str(error) or "The file is gone.")
    except DeliveryError as error:
        await _again(db, pending, error.reason)
    except Exception as error:
        log.exception("media.fetch_failed", attachment_id=str(pending.id))
        await _again(db, pending, f"Fetching failed: {type(error).__name__}.")
    else:
        await _settle(db, pending, state="stored", file_key=key, size=len(data), mime=mime, error=None)
    return True


async def _payload(session: AsyncSession, pending: Pending) -> bytes:
    """The raw event, when the file is a part of it (mail)."""
    if "part" not in pending.ref or pending.inbound_id is None:
        return b""
    return await session.scalar(select(Inbound.payload).where(Inbound.id == pending.inbound_id)) or b""


async def _bytes(adapter: Adapter, pending: Pending, payload: bytes, *, limit: int) -> tuple[bytes, str]:
    extract = getattr(adapter, "extract", None)
    if "part" in pending.ref and extract is not None:
        data, mime, _ = await asyncio.to_thread(extract, payload, pending.ref)
    else:
        with calls.measured(adapter.kind, "fetch"):
            data, mime = await adapter.fetch(pending.ref, limit=limit)
    if len(data) > limit:
        raise Gone("The file is larger than this server keeps.")
    return data, mime or "application/octet-stream"


async def _again(db: Database, pending: Pending, reason: str) -> None:
    if pending.attempts >= MAX_ATTEMPTS:
        await _settle(db, pending, state="unavailable", error=reason)
        return
    async with db.transaction() as session:
        await session.execute(
            update(Attachment)
            .where(Attachment.id == pending.id, Attachment.state == "pending")
            .values(error=reason[:500], next_attempt_at=func.now() + back_off(pending.attempts))
        )


async def _settle(db: Database, pending: Pending, **values: Any) -> None:
    async with db.transaction() as session:
        changed = await session.scalar(
            update(Attachment)
            .where(Attachment.id == pending.id, Attachment.state == "pending")
            .values(**values)
            .returning(Attachment.id)
        )
        if changed is None:
            return
        message = await session.get_one(Message, pending.message_id)
        await facts.record(
            session,
            "attachment.changed",
            actor=facts.SYSTEM,
            customer_id=message.customer_id,
            dialog_id=message.dialog_id,
            message_id=message.id,
            data={"attachment_id": str(pending.id), "state": values["state"]},
        )
