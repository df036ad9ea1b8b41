"""Names and avatars, asked from platforms whose events do not bring them. One turn of a loop each."""

import asyncio
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, text, update

from app.core import facts
from app.core.config import Settings
from app.core.db import Database
from app.core.files import Files, new_key
from channels import calls
from channels.base import Adapter, DeliveryError, Gone, Sender
from dialogs.inbox import Gateway
from dialogs.models import Customer, Identity
from dialogs.store import clean

log = structlog.get_logger()

AVATAR_BYTES = 2 * 1024 * 1024
TOGETHER = 20
"""People asked for at the same moment: platforms that can are asked for them in one call."""
_PICTURES = 4
"""Fetched at the same moment, as they are held in memory."""

DUE = """
select created_at from identities i
where profiled_at is null and kind in ('telegram', 'vk')
  and exists (select from messages m where m.customer_id = i.customer_id and m.identity_id = i.id)
order by created_at limit 1
"""
"""Since when somebody's name is to be asked for."""

_CLAIM = text("""
update identities i
set profiled_at = now()
where i.id in (
    select c.id from identities c
    where c.profiled_at is null and c.kind in ('telegram', 'vk')
      and exists (select from messages m where m.customer_id = c.customer_id and m.identity_id = c.id)
    order by c.created_at limit :most for update skip locked)
returning i.id, i.customer_id, i.external_id,
    (select m.channel_id from messages m where m.customer_id = i.customer_id and m.identity_id = i.id
     order by m.seq desc limit 1) as channel_id
""")


async def turn(db: Database, gateway: Gateway, files: Files, settings: Settings) -> bool:
    """Ask for some people; False when there is nobody to ask for."""
    async with db.transaction() as session:
        rows = (await session.execute(_CLAIM, {"most": TOGETHER})).all()
        wanted = {row.channel_id for row in rows if row.channel_id}
        adapters = {channel_id: await gateway.adapter(session, channel_id) for channel_id in wanted}
    few = asyncio.Semaphore(_PICTURES)
    known = [row for row in rows if row.channel_id]
    await asyncio.gather(*(_learn(db, adapters[row.channel_id], files, row, few=few) for row in known))
    return bool(rows)


async def _learn(db: Database, adapter: Adapter, files: Files, row: Any, *, few: asyncio.Semaphore) -> None:
    """One person, his picture while `few` others are fetched. Survives whatever the platform does."""
    try:
        with calls.measured(adapter.kind, "profile"):
            found = await adapter.profile(row.external_id)
        async with few:
            avatar = await _avatar(adapter, files, found)
            if found is not None:
                await _keep(db, row.id, row.customer_id, found, avatar)
    except (DeliveryError, Gone) as error:
        log.info("profile.not_learned", identity_id=str(row.id), reason=str(error))
    except Exception:
        log.exception("profile.failed", identity_id=str(row.id))


async def _avatar(adapter: Adapter, files: Files, found: Sender | None) -> str | None:
    if found is None or found.avatar is None:
        return None
    try:
        data, _ = await adapter.fetch(found.avatar, limit=AVATAR_BYTES)
    except Gone:
        return None
    key = new_key("avatar")
    await files.put(key, data)
    return key


async def _keep(
    db: Database, identity_id: UUID, customer_id: UUID, found: Sender, avatar: str | None
) -> None:
    async with db.transaction() as session:
        name = clean(found.name)[:300]
        if name:
            await session.execute(
                update(Identity)
                .where(Identity.id == identity_id)
                .values(name=name, username=clean(found.username)[:300])
            )
        values: dict[str, Any] = {}
        if name:
            values["name"] = func.coalesce(func.nullif(Customer.name, ""), name)
        if avatar:
            values["avatar_key"] = func.coalesce(Customer.avatar_key, avatar)
        if values:
            await session.execute(update(Customer).where(Customer.id == customer_id).values(**values))
            await facts.record(
                session, "customer.changed", actor=facts.SYSTEM, customer_id=customer_id, data={"fields": []}
            )
