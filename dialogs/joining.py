"""Giving an identity to another customer by hand, or to a new one, with what was said through it.

Its dialogs with nobody else go along as they are; out of those with others its messages are taken, into the
open dialog of the new owner, or his newest. This is no merge: it is taken back by giving it back.
"""

from uuid import UUID

from sqlalchemy import func, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts
from app.core.errors import Invalid, NotFound
from app.core.facts import Actor
from dialogs import access, belonging, standing
from dialogs.customer_schemas import MovePreview
from dialogs.merging import CustomerMerged
from dialogs.models import Customer, Dialog, Identity, Message


async def access_identity(session: AsyncSession, viewer: Viewer, identity_id: UUID) -> Identity:
    """The identity, when the viewer sees its customer; else `NotFound`."""
    identity = await session.get(Identity, identity_id, populate_existing=True)
    if identity is None:
        raise NotFound
    await access.newest_visible(session, viewer, identity.customer_id)
    return identity


async def give(session: AsyncSession, viewer: Viewer, identity_id: UUID, *, to: UUID | None) -> UUID:
    """Give an identity away, for who sees both customers; returns the new owner."""
    identity = await access_identity(session, viewer, identity_id)
    if to is None:
        if await _only(session, identity):
            raise Invalid("It is the customer's only contact already.")
        customer = Customer(name=identity.name or identity.username)
        session.add(customer)
        await session.flush()
        to = customer.id
        await facts.record(session, "customer.created", actor=viewer.actor, customer_id=to)
    else:
        await access.newest_visible(session, viewer, to)
    target = to
    await belonging.again(session, lambda: move(session, identity_id, to=target, actor=viewer.actor))
    return target


async def move(session: AsyncSession, identity_id: UUID, *, to: UUID, actor: Actor) -> None:
    """Give `identity` to the customer `to`. To be called by `belonging.again`."""
    identity = await session.get_one(Identity, identity_id, populate_existing=True)
    before = identity.customer_id
    if before == to:
        return
    rows = await belonging.lock(session, (before, to))
    await session.refresh(identity)
    if identity.customer_id != before or any(row.merged_into_id for row in rows.values()):
        raise CustomerMerged
    whole, shared = await _dialogs(session, identity)
    await standing.settle(session, customers=(to,), others=whole, actor=actor)
    identity.customer_id, identity.origin_id = to, None
    await session.flush()
    for model, mine, values in (
        (Dialog, Dialog.id.in_(whole), {"origin_id": null()}),
        (Message, Message.dialog_id.in_(whole), {"customer_id": to}),
    ):
        await session.execute(
            update(model).where(mine).values(**values).execution_options(synchronize_session=False)
        )
    await belonging.give_dialogs(session, whole, to=to, before=before, actor=actor)
    touched = await belonging.take_out(session, [identity_id], of=shared, to=to)
    if not whole and not touched and shared:
        await belonging.home(session, to, like=max(shared))  # who has no dialog is seen by nobody
    for customer_id in (to, before):
        await standing.settle(session, customers=(customer_id,), actor=actor, recount=touched)
    data = {"identity_id": str(identity_id), "from_customer_id": str(before), "to_customer_id": str(to)}
    for customer_id in (to, before):
        await facts.record(session, "identity.moved", actor=actor, customer_id=customer_id, data=data)


async def _only(session: AsyncSession, identity: Identity) -> bool:
    other = select(Identity.id).where(
        Identity.customer_id == identity.customer_id, Identity.id != identity.id
    )
    return await session.scalar(other.limit(1)) is None


async def _dialogs(session: AsyncSession, identity: Identity) -> tuple[set[UUID], set[UUID]]:
    """Dialogs of its customer that go along, and the others."""
    every = set(await session.scalars(select(Dialog.id).where(Dialog.customer_id == identity.customer_id)))
    if await _only(session, identity):
        return every, set()
    rows = await session.scalars(
        select(Message.dialog_id)
        .where(Message.dialog_id.in_(every), Message.identity_id.is_not(None))
        .group_by(Message.dialog_id)
        .having(func.bool_and(Message.identity_id == identity.id))
    )
    whole = set(rows)
    return whole, every - whole


async def preview(session: AsyncSession, viewer: Viewer, identity_id: UUID) -> MovePreview:
    """What would go along with the identity."""
    identity = await access_identity(session, viewer, identity_id)
    whole, shared = await _dialogs(session, identity)
    is_last = await _only(session, identity)
    said = Message.customer_id == identity.customer_id
    own = said if is_last else said & (Message.identity_id == identity_id)
    used = (
        select(func.count(Message.dialog_id.distinct()))
        .where(Message.dialog_id.in_(shared), Message.identity_id == identity_id)
        .scalar_subquery()
    )
    messages, used_dialogs = (await session.execute(select(func.count(), used).where(own))).one()
    return MovePreview(
        message_count=messages,
        dialog_count=len(whole),
        shared_dialog_count=used_dialogs,
        is_last=is_last,
    )
