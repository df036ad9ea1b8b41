"""From queued to sent: one message at a time per dialog, never two processes with one message.

A message is claimed and marked `sending` in one transaction, sent with no transaction open, and
settled in another. What the platform may have taken is repeated only where it deduplicates.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database
from app.core.errors import NotFound
from app.core.files import Files
from channels import registry
from channels.base import (
    Adapter,
    DeliveryError,
    OutcomeUnknown,
    OutgoingMessage,
    Rejected,
    RetryLater,
    Sent,
    Unauthorized,
)
from dialogs import delivery, outgoing, settle
from dialogs.inbox import Gateway

log = structlog.get_logger()

LEASE = timedelta(seconds=120)
SEND_SECONDS = 110
STOP_SECONDS = 4
GIVE_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message this process is sending."""

    id: UUID
    seq: int
    customer_id: UUID
    dialog_id: UUID
    channel_id: UUID
    kind: str
    attempts: int
    expired: bool


DUE = """
select min(due.at) from (
    select greatest(c.send_after, c.next_attempt_at, k.frozen_until) as at
    from messages c join channels k on k.id = c.channel_id
    where c.status = 'queued' and k.state = 'active'
    order by c.send_after, c.seq
    limit 200) due
"""
"""When the next message may leave."""
DUE_ABANDONED = "select min(next_attempt_at) from messages where status = 'sending'"
"""When the next sender is taken for dead."""

_CLAIM = text("""
update messages m
set status = 'sending', attempts = m.attempts + 1, next_attempt_at = now() + :lease
from channels ch
where ch.id = m.channel_id and m.id = (
    select c.id
    from messages c join channels k on k.id = c.channel_id
    where c.status = 'queued' and c.send_after <= now()
      and (c.next_attempt_at is null or c.next_attempt_at <= now())
      and k.state = 'active' and (k.frozen_until is null or k.frozen_until <= now())
      and not exists (
        select from messages e
        where e.dialog_id = c.dialog_id and e.status in ('queued', 'sending')
          and (e.send_after, e.seq) < (c.send_after, c.seq))
    order by c.send_after, c.seq
    limit 1
    for update of c skip locked)
returning m.id, m.seq, m.customer_id, m.dialog_id, m.channel_id, ch.kind, m.attempts,
          m.send_after < now() - cast(:give_up as interval) as expired
""")

_ABANDONED = text("""
select m.id, m.seq, m.customer_id, m.dialog_id, m.channel_id, ch.kind, m.attempts, false as expired
from messages m join channels ch on ch.id = m.channel_id
where m.status = 'sending' and m.next_attempt_at < now()
order by m.seq
limit 50
for update of m skip locked
""")


async def drain(db: Database, gateway: Gateway, files: Files) -> int:
    """Send until nothing is left that this process may take; returns how many were tried."""
    count = 0
    while await turn(db, gateway, files):
        count += 1
    return count


async def turn(
    db: Database, gateway: Gateway, files: Files, *, taken: Callable[[], None] | None = None
) -> bool:
    """Send one message; False when there is none to take. `taken` is called when there was one."""
    async with db.transaction() as session:
        claimed = await _claim(session)
    if claimed is None:
        return False
    if taken is not None:
        taken()
    await _to_its_end(_deliver(db, gateway, files, claimed))
    return True


async def _to_its_end(delivering: Coroutine[None, None, None]) -> None:
    """Do not break off in the middle: when the program stops, what is on its way is settled if it can be."""
    work = asyncio.ensure_future(delivering)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work], timeout=STOP_SECONDS)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise


async def _deliver(db: Database, gateway: Gateway, files: Files, claimed: Claimed) -> None:
    try:
        outcome = await _send(db, gateway, files, claimed)
    except DeliveryError as error:
        await _failed(db, claimed, error)
    except Exception as error:  # an adapter's mistake: the platform may have the message
        log.exception("outbox.send_failed", message_id=str(claimed.id))
        await _failed(db, claimed, OutcomeUnknown(f"The adapter failed: {type(error).__name__}."))
    else:
        async with db.transaction() as session:
            await settle.sent(session, claimed, outcome)


async def _claim(session: AsyncSession) -> Claimed | None:
    row = (await session.execute(_CLAIM, {"lease": LEASE, "give_up": GIVE_UP_AFTER})).first()
    if row is None:
        return None
    claimed = Claimed(*row)
    await delivery.tell(session, claimed.id, claimed.customer_id, claimed.dialog_id, "sending")
    return claimed


async def _send(db: Database, gateway: Gateway, files: Files, claimed: Claimed) -> Sent:
    deadline = asyncio.get_running_loop().time() + SEND_SECONDS
    try:
        async with asyncio.timeout_at(deadline):
            adapter, message = await _prepare(db, gateway, files, claimed)
    except NotFound as error:
        raise Rejected(error.detail, code="file_gone") from None
    except Exception as error:  # nothing has left, so trying again is harmless
        log.exception("outbox.not_prepared", message_id=str(claimed.id))
        raise RetryLater(f"It could not be prepared: {type(error).__name__}.", code="not_prepared") from None
    try:
        async with asyncio.timeout_at(deadline):
            return await adapter.send(message)
    except TimeoutError:
        raise OutcomeUnknown("The platform did not answer in time.", code="timeout") from None


async def _prepare(
    db: Database, gateway: Gateway, files: Files, claimed: Claimed
) -> tuple[Adapter, OutgoingMessage]:
    """What to send and by what; the files are read before anything leaves."""
    async with db.transaction() as session:
        adapter = await gateway.adapter(session, claimed.channel_id)
        message = await outgoing.compose(session, claimed.id, files=files)
    for file in message.files:
        await file.content.read()
    return adapter, message


async def _failed(db: Database, claimed: Claimed, error: DeliveryError) -> None:
    log.info("outbox.not_sent", message_id=str(claimed.id), code=error.code, attempts=claimed.attempts)
    async with db.transaction() as session:
        if isinstance(error, Unauthorized):
            await settle.stop_channel(session, claimed.channel_id, error)
            await settle.requeue(session, claimed, error, pause=timedelta(seconds=1), counted=False)
        elif isinstance(error, Rejected):
            await settle.failed(session, claimed, error, unreachable=error.unreachable)
        elif isinstance(error, RetryLater):
            await _retry(session, claimed, error)
        else:
            await unknown(session, claimed, error)


async def _retry(session: AsyncSession, claimed: Claimed, error: RetryLater) -> None:
    if claimed.expired:
        await settle.failed(session, claimed, Rejected(error.reason, code="expired"))
        return
    pause = error.after or back_off(claimed.attempts)
    if error.lane:
        await settle.freeze(session, claimed.channel_id, pause)
    await settle.requeue(session, claimed, error, pause=pause, counted=not error.lane)


async def unknown(session: AsyncSession, claimed: Claimed, error: DeliveryError) -> None:
    """The platform may have it: repeat where that is harmless, else say so and leave it to a person."""
    if registry.load(claimed.kind).capabilities.deduplicates and claimed.attempts < 10:
        await settle.requeue(session, claimed, error, pause=back_off(claimed.attempts))
    else:
        await settle.unknown(session, claimed, error)


def back_off(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s … 5 min, with jitter."""
    return timedelta(seconds=min(300.0, 2.0 ** max(0, attempts - 1)) * random.uniform(0.8, 1.2))  # noqa: S311


async def reap(session: AsyncSession) -> int:
    """Settle messages whose sender died in the act; returns how many."""
    rows: list[Any] = list(await session.execute(_ABANDONED))
    for row in rows:
        error = OutcomeUnknown("The program stopped while it was sending.", code="interrupted")
        await unknown(session, Claimed(*row), error)
    return len(rows)
