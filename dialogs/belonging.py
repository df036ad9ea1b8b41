"""Whose identities, dialogs and messages are: locked, and given to another customer.

The locks and their order: customers, identities, dialogs, messages, each by their ids. Whatever stores a
message takes a lock on its identity first (`store_inbound.sql`), so nothing comes in for a customer who
changes until the change is done. Others take them in another order: to them `again` gives way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import facts
from app.core.errors import NotFound
from app.core.facts import Actor
from dialogs import work
from dialogs.models import Customer, Dialog, DialogGuest, DialogGuestTeam, Identity, Message

T = TypeVar("T")
_ATTEMPTS = 25
_PATIENCE = "150ms"
_WAIT = text("select set_config('lock_timeout', :timeout, true)")
_GIVES_WAY = ("40P01", "55P03")


async def again(session: AsyncSession, change: Callable[[], Awaitable[T]]) -> T:
    """Carry out a change that takes many locks, giving way to whoever else wants them until all are free.

    It never waits as long as the server takes to look for a deadlock: of two that wait for each other it is
    always this one that begins anew, and no message and no answer fails because of it.
    """
    timeout = await session.scalar(text("select current_setting('lock_timeout')"))
    for attempt in range(_ATTEMPTS):
        try:
            async with session.begin_nested():
                await session.execute(_WAIT, {"timeout": _PATIENCE})
                result = await change()
                await session.execute(_WAIT, {"timeout": timeout})
                return result
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _GIVES_WAY or attempt == _ATTEMPTS - 1:
                raise
            session.expire_all()
        await asyncio.sleep(random.uniform(0, 0.02 * (attempt + 1)))  # noqa: S311
    raise AssertionError("unreachable")


async def hold(session: AsyncSession, customer_id: UUID) -> UUID:
    """Nobody gives the customer's belongings away until the transaction ends; returns whose they are."""
    while True:
        query = select(Customer.merged_into_id).where(Customer.id == customer_id)
        row = (await session.execute(query.with_for_update(read=True))).first()
        if row is None or row[0] is None:
            return customer_id
        customer_id = row[0]


async def root(session: AsyncSession, customer_id: UUID) -> UUID:
    """Into whom the customer is merged now, or himself."""
    found: UUID | None = await session.scalar(
        select(Customer.merged_into_id).where(Customer.id == customer_id)
    )
    return found or customer_id


async def lock(session: AsyncSession, customers: Collection[UUID]) -> dict[UUID, Customer]:
    """Lock customers with their identities and dialogs, for who gives them to another."""
    found = await session.scalars(
        select(Customer)
        .where(Customer.id.in_(customers))
        .order_by(Customer.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    rows = {customer.id: customer for customer in found}
    if len(rows) < len(set(customers)):
        raise NotFound("There is no such customer.")
    for model in (Identity, Dialog):
        of_customers = select(model.id).where(model.customer_id.in_(customers))
        await session.execute(of_customers.order_by(model.id).with_for_update())
    return rows


async def give_dialogs(
    session: AsyncSession, ids: Collection[UUID], *, to: UUID, before: UUID, actor: Actor
) -> None:
    """Give dialogs to a customer, without their messages; says so to who sees them."""
    if not ids:
        return
    await session.execute(
        update(Dialog)
        .where(Dialog.id.in_(ids))
        .values(customer_id=to)
        .execution_options(synchronize_session=False)
    )
    for dialog_id in sorted(ids):
        await facts.record(
            session,
            "dialog.changed",
            actor=actor,
            customer_id=to,
            dialog_id=dialog_id,
            data={"from_customer_id": str(before)},
        )
    guests = select(DialogGuest.dialog_id).where(DialogGuest.dialog_id.in_(ids))
    teams = select(DialogGuestTeam.dialog_id).where(DialogGuestTeam.dialog_id.in_(ids))
    for dialog_id in sorted(set(await session.scalars(guests.union(teams)))):
        await work.record_sight(session, dialog_id, actor=actor)


async def home(session: AsyncSession, customer_id: UUID, *, like: UUID) -> UUID:
    """The dialog for messages that come to a customer out of the dialog `like`: his open one, or his newest.

    Who has none gets a closed one, which the same people see.
    """
    found: UUID | None = await session.scalar(
        select(Dialog.id)
        .where(Dialog.customer_id == customer_id)
        .order_by((Dialog.status != "closed").desc(), Dialog.number.desc())
        .limit(1)
    )
    if found is not None:
        return found
    model = await session.get_one(Dialog, like, populate_existing=True)
    dialog = Dialog(
        customer_id=customer_id,
        channel_id=model.channel_id,
        assignee_id=model.assignee_id,
        team_id=model.team_id,
        status="closed",
        closed_at=func.now(),
        last_direction="system",
    )
    session.add(dialog)
    await session.flush()
    return dialog.id


async def take_out(
    session: AsyncSession, identities: Collection[UUID], *, of: Collection[UUID], to: UUID
) -> set[UUID]:
    """Put what was said by identities in the dialogs `of` into the customer's own; returns those touched."""
    rows = await session.execute(
        select(Message.dialog_id)
        .where(Message.dialog_id.in_(of), Message.identity_id.in_(identities))
        .distinct()
    )
    touched = {row[0] for row in rows}
    if not touched:
        return touched
    target = await home(session, to, like=max(touched))
    await session.execute(
        update(Message)
        .where(Message.dialog_id.in_(touched), Message.identity_id.in_(identities))
        .values(customer_id=to, dialog_id=target)
        .execution_options(synchronize_session=False)
    )
    touched.add(target)
    await session.execute(_SUMMARY, {"ids": sorted(touched)})
    await session.execute(_READS, {"ids": sorted(touched)})
    return touched


_SUMMARY = text("""
update dialogs d
set inbound_count = (select count(*) from messages m where m.dialog_id = d.id and m.direction = 'in'),
    last_message_id = coalesce(l.id, d.last_message_id),
    last_message_at = coalesce(l.created_at, d.last_message_at),
    last_direction = coalesce(l.direction, d.last_direction),
    last_author_id = l.author_id,
    preview = coalesce(l.preview, '')
from unnest(cast(:ids as uuid[])) as wanted(id)
left join lateral (
    select m.id, m.created_at, m.direction, m.author_id,
           coalesce(nullif(left(regexp_replace(m.text, '\\s+', ' ', 'g'), 160), ''),
                    (select '[' || a.kind || ']' from attachments a where a.message_id = m.id
                     order by a.position limit 1), '[empty]') as preview
    from messages m where m.dialog_id = wanted.id and m.direction <> 'system'
    order by m.seq desc limit 1) l on true
where d.id = wanted.id
""")
"""What a dialog says of its messages."""
_READS = text("""
update dialog_reads r set inbound_count = d.inbound_count
from dialogs d
where d.id = r.dialog_id and r.dialog_id = any(cast(:ids as uuid[])) and r.inbound_count > d.inbound_count
""")
