"""Writing down how the sending of a message ended."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts, metrics
from app.core.db import WAIT_SECONDS, Database
from channels import accounts
from channels.base import DeliveryError, Sent, Unauthorized
from channels.models import Channel
from dialogs import delivery, waiting, work
from dialogs.models import Dialog, Identity, Message
from dialogs.store import clean

if TYPE_CHECKING:
    from uuid import UUID

    from dialogs.outbox import Claimed

_OUTGOING = metrics.counter("outgoing", "Attempts to send, by how they ended.", "kind", "result")
_SECONDS = metrics.histogram(
    "outgoing_seconds", "From the time an answer may leave until its platform took it.", bounds=metrics.SLOW
)


_NOTE = """
with noted as (
    update messages set meta = meta || jsonb_build_object('note', $3::text)
    where id = $1 and attempts = $2 and status in ('sent', 'delivered', 'read')
      and meta ->> 'note' is distinct from $3
    returning id, customer_id, dialog_id, status)
insert into facts (type, actor_kind, customer_id, dialog_id, message_id, data)
select 'message.status', 'system', customer_id, dialog_id, id, jsonb_build_object('status', status)
from noted
"""


@cache
def statement() -> str:
    return Path(__file__).with_name("outbox_sent.sql").read_text()


async def sent(db: Database, claimed: "Claimed", outcome: Sent) -> None:
    """The platform took it: a unit of work of its own, of one statement."""
    note = clean(outcome.note)[:1000]
    values = (
        claimed.id,
        claimed.attempts,
        outcome.status,
        clean(outcome.chat),  # a group may have moved
        [clean(external_id) for external_id in outcome.external_ids],
        [clean(alias) for alias in outcome.aliases],
        note,
    )
    async with db.raw.acquire(timeout=WAIT_SECONDS) as connection:
        seconds = await connection.fetchval(statement(), *values)
        if seconds is None and note:  # an echo was quicker, and could not know what the platform added
            await connection.execute(_NOTE, claimed.id, claimed.attempts, note)
    if seconds is not None:
        _SECONDS.observe(seconds)
        _OUTGOING.labels(claimed.kind, outcome.status).inc()
        db.bell.ring()


async def failed(
    session: AsyncSession, claimed: "Claimed", error: DeliveryError, *, unreachable: bool = False
) -> None:
    """The platform will not take it: the customer waits again."""
    await _lock_dialog(session, claimed.dialog_id)
    dialog_id = await _settle(session, claimed, "failed", error=error)
    if dialog_id is None:
        return
    await _answer_lost(session, dialog_id)
    if unreachable:
        await _unreachable(session, claimed)


async def unknown(session: AsyncSession, claimed: "Claimed", error: DeliveryError) -> None:
    """Nobody can say whether the platform took it; a person decides whether to send again."""
    await _lock_dialog(session, claimed.dialog_id)
    dialog_id = await _settle(session, claimed, "unknown", error=error)
    if dialog_id is not None:
        await _answer_lost(session, dialog_id)


async def _answer_lost(session: AsyncSession, dialog_id: "UUID") -> None:
    """The customer waits again; a dialog that was closed meanwhile comes back, so that somebody sees it."""
    status = await session.scalar(select(Dialog.status).where(Dialog.id == dialog_id))
    if status == "closed":
        await work.bring_back(session, [dialog_id], actor=facts.SYSTEM, by="failure")
    else:
        await waiting.recount(session, dialog_id)


async def _lock_dialog(session: AsyncSession, dialog_id: "UUID") -> None:
    """Before the message, as those do who take an answer back: else each would wait for the other."""
    await session.execute(select(Dialog.id).where(Dialog.id == dialog_id).with_for_update())


async def requeue(
    session: AsyncSession,
    claimed: "Claimed",
    error: DeliveryError,
    *,
    pause: timedelta,
    counted: bool = True,
) -> None:
    """Try again after `pause`."""
    values: dict[str, Any] = {"next_attempt_at": func.now() + pause}
    if not counted:
        values["attempts"] = claimed.attempts - 1
    await _settle(session, claimed, "queued", error=error, **values)


async def _settle(
    session: AsyncSession, claimed: "Claimed", status: str, *, error: DeliveryError | None, **values: Any
) -> "UUID | None":
    """The message's dialog, which may have become another one while it was on its way.

    None when the message is in another state by now: its sender was taken for dead, an echo came.
    """
    changed = await session.execute(
        update(Message)
        .where(
            Message.id == claimed.id,
            Message.status.in_(("sending", "unknown")),
            Message.attempts == claimed.attempts,
        )
        .values(
            status=status,
            error=clean(error.reason)[:1000] if error else None,
            error_code=error.code if error else None,
            **({"next_attempt_at": None} | values),
        )
        .returning(Message.customer_id, Message.dialog_id)
    )
    row = changed.first()
    if row is None:
        return None
    _OUTGOING.labels(claimed.kind, status).inc()
    await delivery.tell(session, claimed.id, row.customer_id, row.dialog_id, status)
    dialog_id: UUID = row.dialog_id
    return dialog_id


async def _unreachable(session: AsyncSession, claimed: "Claimed") -> None:
    changed = await session.execute(
        update(Identity)
        .where(Identity.id == select(Message.identity_id).where(Message.id == claimed.id).scalar_subquery())
        .values(reachable=False)
        .returning(Identity.id, Identity.customer_id)
    )
    for identity_id, customer_id in changed:
        await facts.record(
            session,
            "identity.reachability",
            actor=facts.SYSTEM,
            customer_id=customer_id,
            channel_id=claimed.channel_id,
            data={"identity_id": str(identity_id), "reachable": False},
        )


async def stop_channel(session: AsyncSession, channel_id: "UUID", error: Unauthorized) -> None:
    """The platform refuses our credentials: nothing is sent or asked until somebody changes them."""
    channel = await accounts.find(session, channel_id, lock=True)
    if channel is not None:
        await accounts.stop(session, channel, error)


async def freeze(session: AsyncSession, channel_id: "UUID", pause: timedelta) -> None:
    """The platform asked the whole channel to pause; the longest pause counts."""
    until = func.greatest(Channel.frozen_until, func.now() + pause)
    await session.execute(update(Channel).where(Channel.id == channel_id).values(frozen_until=until))
