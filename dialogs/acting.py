"""Carrying out acts on their platforms: a change, a deletion, a reaction, a read mark, a pressed button.

Like the outbox: taken in one transaction, done with none open, settled in another. An act may be done
twice without harm, so whatever is in doubt is simply done again.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.db import Database
from channels import acts as to_do
from channels import calls
from channels.base import Adapter, DeliveryError, Rejected, RetryLater, Unauthorized
from dialogs import rewriting, settle
from dialogs.acts import Act
from dialogs.inbox import Gateway
from dialogs.message_keys import MessageAlias
from dialogs.models import Attachment, Identity, Message
from dialogs.outbox import back_off

log = structlog.get_logger()

LEASE = timedelta(seconds=60)
SECONDS = 50
MAX_ATTEMPTS = 8
_WORTH = {"read": timedelta(minutes=10), "acknowledge": timedelta(minutes=5)}
"""After so long it means nothing any more, and is dropped without a word."""

DUE = "select min(next_attempt_at) from acts where state = 'queued'"
"""When the next act may be done."""

_CLAIM = text("""
update acts a set attempts = a.attempts + 1, next_attempt_at = now() + :lease
where a.id = (
    select c.id from acts c join channels k on k.id = c.channel_id
    where c.state = 'queued' and c.next_attempt_at <= now()
      and k.state = 'active' and (k.frozen_until is null or k.frozen_until <= now())
      and not exists (
        select from acts e where e.message_id = c.message_id and e.state = 'queued' and e.id < c.id)
    order by c.next_attempt_at
    limit 1 for update of c skip locked)
returning a.id, a.kind, a.channel_id, a.message_id, a.agent_id, a.body, a.attempts,
          now() - a.created_at as age
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An act in this process's hands."""

    id: int
    kind: to_do.ActKind
    channel_id: UUID
    message_id: UUID
    agent_id: UUID | None
    body: dict[str, Any]
    attempts: int
    age: timedelta


async def drain(db: Database, gateway: Gateway) -> None:
    """Act until nothing is left that this process may take."""
    while await turn(db, gateway):
        pass


async def turn(db: Database, gateway: Gateway) -> bool:
    """Carry out one act; False when there is none to take."""
    async with db.transaction() as session:
        row = (await session.execute(_CLAIM, {"lease": LEASE})).first()
        if row is None:
            return False
        claimed = Claimed(*row)
        act = await _compose(session, claimed)
        adapter = await gateway.adapter(session, claimed.channel_id)
    error = await _carry_out(adapter, act) if act is not None else None
    async with db.transaction() as session:
        await _settle(session, claimed, error)
    return True


async def _carry_out(adapter: Adapter, act: to_do.Act) -> DeliveryError | None:
    try:
        async with asyncio.timeout(SECONDS):
            with calls.measured(adapter.kind, "act"):
                await adapter.act(act)
    except DeliveryError as error:
        return error
    except TimeoutError:
        return RetryLater("The platform did not answer in time.", code="timeout")
    except Exception as error:  # an adapter's mistake
        log.exception("acts.failed", kind=type(act).__name__)
        return RetryLater(f"The adapter failed: {type(error).__name__}.", code="fault")
    return None


async def _compose(session: AsyncSession, claimed: Claimed) -> to_do.Act | None:
    """What the adapter is given; None when there is nothing to do any more."""
    message = await session.get(Message, claimed.message_id)
    if message is None or claimed.age > _WORTH.get(claimed.kind, timedelta.max):
        return None
    chat, first = message.chat or "", message.external_id or ""
    match claimed.kind:
        case "edit":
            ids = await _external_ids(session, message)
            files = await session.scalar(
                select(func.count()).select_from(Attachment).where(Attachment.message_id == message.id)
            )
            rows = message.meta.get("buttons") or []
            buttons = [[to_do.Button.model_validate(one) for one in row] for row in rows]
            return to_do.Edit(chat, ids, claimed.body["text"], files=files or 0, buttons=buttons)
        case "delete":
            return to_do.Delete(chat, await _external_ids(session, message))
        case "react":
            return to_do.React(chat, first, claimed.body["emoji"])
        case "read":
            return to_do.MarkRead(chat, first)
        case "acknowledge":
            identity = await session.get(Identity, message.identity_id) if message.identity_id else None
            return to_do.Acknowledge(chat, claimed.body["query"], identity.external_id if identity else "")


async def _external_ids(session: AsyncSession, message: Message) -> list[str]:
    """All ids the platform gave a message: a long one is several there."""
    start = f"{message.chat}:"
    names = await session.scalars(
        select(MessageAlias.alias).where(
            MessageAlias.message_id == message.id, MessageAlias.alias.startswith(start, autoescape=True)
        )
    )
    parts = [name.removeprefix(start) for name in names]
    first = message.external_id or ""
    return [first, *sorted((part for part in parts if part != first), key=lambda part: (len(part), part))]


async def _settle(session: AsyncSession, claimed: Claimed, error: DeliveryError | None) -> None:
    """Write down how it went, unless somebody else took the act over or it was asked for anew."""
    message = await rewriting.hold(session, claimed.message_id)
    ours = (Act.id == claimed.id, Act.attempts == claimed.attempts)
    if error is None or message is None:
        gone = (await session.execute(delete(Act).where(*ours).returning(Act.id))).first()
        if gone and error is None and message is not None:
            await _done(session, claimed, message)
        return
    log.info("acts.not_done", kind=claimed.kind, message_id=str(claimed.message_id), code=error.code)
    if isinstance(error, Unauthorized):
        await settle.stop_channel(session, claimed.channel_id, error)
    if isinstance(error, RetryLater) and error.lane:
        await settle.freeze(session, claimed.channel_id, error.after or timedelta(seconds=5))
    if isinstance(error, Rejected) or claimed.attempts >= MAX_ATTEMPTS:
        await _refused(session, claimed, message, error)
    else:
        after = error.after if isinstance(error, RetryLater) else None
        pause = func.now() + (after or back_off(claimed.attempts))
        await session.execute(update(Act).where(*ours).values(next_attempt_at=pause))


async def _done(session: AsyncSession, claimed: Claimed, message: Message) -> None:
    actor = facts.Actor("agent", claimed.agent_id) if claimed.agent_id else facts.SYSTEM
    if claimed.kind == "edit":
        await rewriting.rewrite(session, message, claimed.body["text"], actor=actor)
    elif claimed.kind == "delete":
        await rewriting.mark_deleted(session, message, actor=actor)
    elif claimed.kind == "react":
        emojis = [claimed.body["emoji"]] if claimed.body["emoji"] else []
        await rewriting.react(session, message, emojis, by="agent", id=claimed.agent_id, actor=actor)


async def _refused(session: AsyncSession, claimed: Claimed, message: Message, error: DeliveryError) -> None:
    """What an agent asked for stands on the message as refused; the rest nobody waits for."""
    ours = (Act.id == claimed.id, Act.attempts == claimed.attempts)
    if claimed.kind in _WORTH:
        await session.execute(delete(Act).where(*ours))
        return
    changed = await session.scalar(
        update(Act)
        .where(*ours)
        .values(state="failed", error=error.reason[:1000], error_code=error.code)
        .returning(Act.id)
    )
    if changed is not None:
        data = {"kind": claimed.kind, "state": "failed"}
        await rewriting.tell(session, message, "message.act", actor=facts.SYSTEM, data=data)
