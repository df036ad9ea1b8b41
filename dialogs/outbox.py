"""From queued to sent: one message at a time per dialog, never two processes with one message.

A message is claimed and marked `sending` in one transaction, sent with no transaction open, and
settled in another; each is one statement on a raw connection (`outbox_claim.sql`, `outbox_sent.sql`).
What the platform may have taken is repeated only where it deduplicates.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import tracing
from app.core.db import WAIT_SECONDS, Database, is_passing
from app.core.errors import NotFound
from app.core.files import Files
from channels import calls, registry
from channels.base import (
    Adapter,
    DeliveryError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Sent,
    Unauthorized,
)
from dialogs import outgoing, settle
from dialogs.inbox import Gateway
from dialogs.lanes import Lanes

log = structlog.get_logger()

LEASE = timedelta(seconds=120)
SEND_SECONDS = 110
STOP_SECONDS = 4
SETTLE_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
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
select min(greatest(first.due_at, k.frozen_until))
from channels k cross join lateral (
    select greatest(q.send_after, q.next_attempt_at) as due_at
    from messages q
    where q.channel_id = k.id and q.status = 'queued'
    order by greatest(q.send_after, q.next_attempt_at)
    limit 1) first
where k.state = 'active'
"""
"""When the next message may leave."""
DUE_ABANDONED = "select min(next_attempt_at) from messages where status = 'sending'"
"""When the next sender is taken for dead."""

_ABANDONED = text("""
select m.id, m.seq, m.customer_id, m.dialog_id, m.channel_id, ch.kind, m.attempts, false as expired
from messages m join channels ch on ch.id = m.channel_id
where m.status = 'sending' and m.next_attempt_at < now()
order by m.next_attempt_at
limit 50
for update of m skip locked
""")


@cache
def statement() -> str:
    return Path(__file__).with_name("outbox_claim.sql").read_text()


async def drain(db: Database, gateway: Gateway, files: Files) -> int:
    """Send until nothing is left that this process may take; returns how many were tried."""
    count = 0
    while await turn(db, gateway, files):
        count += 1
    return count


async def turn(
    db: Database,
    gateway: Gateway,
    files: Files,
    *,
    lanes: Lanes | None = None,
    taken: Callable[[], None] | None = None,
) -> bool:
    """Send one message; False when there is none to take. `taken` is called when there was one."""
    lanes = lanes or Lanes()
    row = await _claim(db, lanes)
    if row is None:
        return False
    if taken is not None:
        taken()
    try:
        await _to_its_end(_deliver(db, gateway, files, row))
    finally:
        lanes.give_back(row["channel_id"])
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


async def _claim(db: Database, lanes: Lanes) -> Any:
    """The row of a message that is this process's to send now, which holds a lane; or None."""
    async with lanes.claiming, db.raw.acquire(timeout=WAIT_SECONDS) as connection:
        row = await connection.fetchrow(statement(), LEASE, GIVE_UP_AFTER, lanes.full())
        if row is not None:
            lanes.take(row["channel_id"])
    if row is not None:
        db.bell.ring()
    return row


async def _deliver(db: Database, gateway: Gateway, files: Files, row: Any) -> None:
    claimed = Claimed(*(row[name] for name in Claimed.__dataclass_fields__))
    try:
        with tracing.span("outbox.send", kind=claimed.kind, message_id=str(claimed.id)):
            outcome = await _send(db, gateway, files, row)
    except DeliveryError as error:
        await _surely(partial(_failed, db, claimed, error))
    except Exception as error:  # an adapter's mistake: the platform may have the message
        log.exception("outbox.send_failed", message_id=str(claimed.id))
        doubt = OutcomeUnknown(f"The adapter failed: {type(error).__name__}.")
        await _surely(partial(_failed, db, claimed, doubt))
    else:
        await _surely(partial(settle.sent, db, claimed, outcome))


async def _send(db: Database, gateway: Gateway, files: Files, row: Any) -> Sent:
    deadline = asyncio.get_running_loop().time() + SEND_SECONDS
    try:
        async with asyncio.timeout_at(deadline):
            adapter = await _adapter(db, gateway, row["channel_id"])
            message = await outgoing.compose(row, files=files)
    except NotFound as error:
        raise Rejected(error.detail, code="file_gone") from None
    except Exception as error:  # nothing has left, so trying again is harmless
        log.exception("outbox.not_prepared", message_id=str(row["id"]))
        raise RetryLater(f"It could not be prepared: {type(error).__name__}.", code="not_prepared") from None
    try:
        async with asyncio.timeout_at(deadline):
            with calls.measured(adapter.kind, "send"):
                return await adapter.send(message)
    except TimeoutError:
        raise OutcomeUnknown("The platform did not answer in time.", code="timeout") from None


async def _adapter(db: Database, gateway: Gateway, channel_id: UUID) -> Adapter:
    known = gateway.known(channel_id)
    if known is not None:
        return known
    async with db.transaction() as session:
        return await gateway.adapter(session, channel_id)


async def _surely(settling: Callable[[], Awaitable[None]]) -> None:
    """What became of a message is not forgotten because the database is busy or away for a moment.

    Each way of settling looks whether the message is still in this sender's hands, so repeating is harmless.
    """
    for pause in SETTLE_PAUSES:
        try:
            return await settling()
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("outbox.not_settled", reason=type(error).__name__, again_in=pause)
        await asyncio.sleep(pause)
    await settling()


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
    pause = error.after or _step(error, claimed.attempts) or back_off(claimed.attempts)
    if error.lane:
        await settle.freeze(session, claimed.channel_id, pause)
    await settle.requeue(session, claimed, error, pause=pause, counted=not error.lane)


def _step(error: RetryLater, attempts: int) -> timedelta | None:
    return error.pauses[min(max(attempts, 1), len(error.pauses)) - 1] if error.pauses else None


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
