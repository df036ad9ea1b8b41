"""Merging customers who turned out to be one, and what a merge would do.

A merge is a link that can be cut. Identities and dialogs remember whose they were (`origin_id`); what a
customer has is decided by the links that stand, in whatever order they were made (`dialogs.unmerging`).
"""

from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts
from app.core.errors import Conflict, Invalid
from app.core.facts import Actor
from dialogs import access, belonging, fields, standing
from dialogs.customer_schemas import FieldConflict, MergeOut, MergePreview, OpenDialog
from dialogs.identity_models import Merge
from dialogs.models import Customer, Dialog, Identity, Message


class CustomerMerged(Conflict):
    code, title = "customer_merged", "One of the two was merged with somebody meanwhile; look again."


async def merge(session: AsyncSession, viewer: Viewer, *, kept: UUID, merged: UUID) -> UUID:
    """The customer `merged` is `kept`: for who sees both. Returns the merge."""
    await _see_both(session, viewer, kept, merged)
    return await prove(session, kept=kept, merged=merged, actor=viewer.actor)


async def _see_both(session: AsyncSession, viewer: Viewer, kept: UUID, merged: UUID) -> None:
    if kept == merged:
        raise Invalid("A customer cannot be merged with himself.")
    await access.newest_visible(session, viewer, kept)
    await access.newest_visible(session, viewer, merged)


async def prove(session: AsyncSession, *, kept: UUID, merged: UUID, actor: Actor) -> UUID:
    """Merge two customers of whom something has proven that they are one."""
    return await belonging.again(session, lambda: join(session, kept=kept, merged=merged, actor=actor))


async def join(session: AsyncSession, *, kept: UUID, merged: UUID, actor: Actor) -> UUID:
    """Merge two customers, whoever says so; raises `CustomerMerged`. To be called by `belonging.again`."""
    rows = await belonging.lock(session, (kept, merged))
    if any(row.merged_into_id for row in rows.values()):
        raise CustomerMerged
    row = Merge(kept_id=kept, merged_id=merged, created_by=actor.id if actor.kind == "agent" else None)
    session.add(row)
    await session.flush()
    await standing.settle(session, customers=(kept, merged), actor=actor)
    await _give(session, merged, to=kept, actor=actor)
    await session.refresh(rows[kept])
    await fields.borrow(session, kept)
    ids = {"merge_id": str(row.id), "merged_id": str(merged)}
    await facts.record(session, "customer.merged", actor=actor, customer_id=kept, data=ids)
    return row.id


async def _give(session: AsyncSession, merged: UUID, *, to: UUID, actor: Actor) -> None:
    quietly = {"synchronize_session": False}
    for model in (Identity, Dialog):
        await session.execute(
            update(model)
            .where(model.customer_id == merged)
            .values(origin_id=func.coalesce(model.origin_id, model.customer_id))
            .execution_options(**quietly)
        )
    for rows in (
        update(Customer)
        .where(or_(Customer.id == merged, Customer.merged_into_id == merged))
        .values(merged_into_id=to),
        update(Identity).where(Identity.customer_id == merged).values(customer_id=to),
        update(Message).where(Message.customer_id == merged).values(customer_id=to),
    ):
        await session.execute(rows.execution_options(**quietly))
    dialogs = list(await session.scalars(select(Dialog.id).where(Dialog.customer_id == merged)))
    await belonging.give_dialogs(session, dialogs, to=to, before=merged, actor=actor)


async def preview(session: AsyncSession, viewer: Viewer, *, kept: UUID, merged: UUID) -> MergePreview:
    """What `merge` would do."""
    await _see_both(session, viewer, kept, merged)
    found = await session.scalars(select(Customer).where(Customer.id.in_((kept, merged))))
    rows = {row.id: row for row in found}
    identities = await session.scalars(
        select(Identity).where(Identity.customer_id == merged).order_by(Identity.created_at)
    )
    return MergePreview(
        kept_id=kept,
        merged_id=merged,
        merged_name=rows[merged].name,
        identities=[_title(identity) for identity in identities],
        dialog_count=await _count(session, Dialog, merged),
        message_count=await _count(session, Message, merged),
        conflicts=[
            FieldConflict(field=name, kept=own, merged=other)  # type: ignore[arg-type]
            for name, own, other in fields.conflicts(rows[kept], rows[merged])
        ],
        open_dialogs=await _open(session, kept, merged),
    )


def _title(identity: Identity) -> str:
    if identity.username:
        return f"@{identity.username}"
    return identity.external_id if identity.kind == "email" else identity.name or identity.external_id


async def _count(session: AsyncSession, model: type[Dialog | Message], customer_id: UUID) -> int:
    return await session.scalar(select(func.count()).where(model.customer_id == customer_id)) or 0


async def _open(session: AsyncSession, kept: UUID, merged: UUID) -> list[OpenDialog]:
    rows = list(
        await session.scalars(
            select(Dialog)
            .where(Dialog.customer_id.in_((kept, merged)), Dialog.status != "closed")
            .order_by(Dialog.number.desc())
        )
    )
    return [
        OpenDialog(id=row.id, number=row.number, customer_id=row.customer_id, stays_open=row is rows[0])
        for row in rows
    ]


async def history(session: AsyncSession, customer_id: UUID) -> list[MergeOut]:
    """Merges of the customer and of those merged into him, newest first."""
    family = select(Customer.id).where(
        or_(Customer.id == customer_id, Customer.merged_into_id == customer_id)
    )
    rows = await session.execute(
        select(Merge, Customer.name)
        .join(Customer, Customer.id == Merge.merged_id)
        .where(or_(Merge.kept_id.in_(family), Merge.merged_id == customer_id))
        .order_by(Merge.id.desc())
        .limit(50)
    )
    return [
        MergeOut(
            id=row.id,
            kept_id=row.kept_id,
            merged_id=row.merged_id,
            merged_name=name,
            created_by=row.created_by,
            created_at=row.created_at,
            undone_by=row.undone_by,
            undone_at=row.undone_at,
        )
        for row, name in rows
    ]
