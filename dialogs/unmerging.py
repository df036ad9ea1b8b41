"""Undoing a merge: cutting one link, whichever others were made before or after it.

What was the merged customer's, or of those merged into him, is his again. What came later goes with the
identity it came by or was sent to; a note, or a line of the system, stays with its dialog. A dialog that
began while the merge stood and holds only his is his; out of one that holds both, his messages are taken.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import clock, facts
from app.core.errors import Conflict, NotFound
from app.core.facts import Actor
from dialogs import access, belonging, fields, standing
from dialogs.identity_models import Merge
from dialogs.models import Customer, Dialog, Identity, Message


class AlreadyUndone(Conflict):
    code, title = "merge_undone", "This merge was undone already."


async def undo(session: AsyncSession, viewer: Viewer, merge_id: UUID) -> Merge:
    """Undo a merge, for who sees the customer it made; raises `AlreadyUndone`."""
    merge = await session.get(Merge, merge_id)
    if merge is None:
        raise NotFound
    await access.newest_visible(session, viewer, await belonging.root(session, merge.kept_id))
    return await belonging.again(session, lambda: _undo(session, merge_id, actor=viewer.actor))


async def _undo(session: AsyncSession, merge_id: UUID, *, actor: Actor) -> Merge:
    merge = await session.get_one(Merge, merge_id, populate_existing=True)
    root = await _lock(session, merge)
    if merge.undone_at is not None:
        raise AlreadyUndone
    merge.undone_at, merge.undone_by = clock.now(), actor.id
    await session.flush()
    freed = merge.merged_id
    family = await _below(session, freed)
    await session.execute(
        update(Customer).where(Customer.id.in_(family - {freed})).values(merged_into_id=freed)
    )
    await session.execute(update(Customer).where(Customer.id == freed).values(merged_into_id=None))
    own = await _give_identities(session, root, to=freed, family=family)
    touched = await _give_messages(session, merge, root, family=family, own=own, actor=actor)
    for customer_id in (root, freed):
        await standing.settle(session, customers=(customer_id,), actor=actor, recount=touched)
        await _tell(session, merge, customer_id, actor=actor)
    kept = merge.kept_id
    session.expire_all()
    await fields.borrow(session, kept)
    await session.refresh(merge)
    return merge


async def _lock(session: AsyncSession, merge: Merge) -> UUID:
    """Lock all that the merge holds together; returns whose it is now, by the links that stand then."""
    root = await belonging.root(session, merge.kept_id)
    while True:
        await belonging.lock(session, (root, merge.merged_id))
        await session.refresh(merge, with_for_update=True)
        now = await belonging.root(session, merge.kept_id)
        if now == root:
            return root
        root = now


async def _below(session: AsyncSession, customer_id: UUID) -> set[UUID]:
    """A customer with those merged into him, and into them."""
    tree = select(Customer.id).where(Customer.id == customer_id).cte("tree", recursive=True)
    below = select(Merge.merged_id).join(tree, tree.c.id == Merge.kept_id).where(Merge.undone_at.is_(None))
    return set(await session.scalars(select(tree.union_all(below).c.id)))


async def _give_identities(
    session: AsyncSession, root: UUID, *, to: UUID, family: Collection[UUID]
) -> set[UUID]:
    ids = await session.scalars(
        update(Identity)
        .where(Identity.customer_id == root, Identity.origin_id.in_(family))
        .values(customer_id=to, origin_id=func.nullif(Identity.origin_id, to))
        .returning(Identity.id)
        .execution_options(synchronize_session=False)
    )
    return set(ids)


async def _give_messages(
    session: AsyncSession,
    merge: Merge,
    root: UUID,
    *,
    family: Collection[UUID],
    own: Collection[UUID],
    actor: Actor,
) -> set[UUID]:
    """Tell dialogs and messages apart; returns the dialogs whose messages have changed."""
    freed = merge.merged_id
    theirs = set(await session.scalars(select(Identity.id).where(Identity.customer_id == root)))
    dialogs = set(
        await session.scalars(
            select(Dialog.id).where(Dialog.customer_id == root, Dialog.origin_id.in_(family))
        )
    )
    dialogs |= await _begun_since(session, merge, root, own=own)
    rest = set(await session.scalars(select(Dialog.id).where(Dialog.customer_id == root))) - dialogs
    await session.execute(
        update(Dialog)
        .where(Dialog.id.in_(dialogs))
        .values(origin_id=func.nullif(Dialog.origin_id, freed))
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(Dialog)
        .where(Dialog.id.in_(dialogs), Dialog.origin_id.not_in(family))
        .values(origin_id=null())
        .execution_options(synchronize_session=False)
    )
    await belonging.give_dialogs(session, dialogs, to=freed, before=root, actor=actor)
    await session.execute(
        update(Message)
        .where(Message.dialog_id.in_(dialogs))
        .values(customer_id=freed)
        .execution_options(synchronize_session=False)
    )
    touched = await belonging.take_out(session, own, of=rest, to=freed)
    return touched | await belonging.take_out(session, theirs, of=dialogs, to=root)


async def _begun_since(
    session: AsyncSession, merge: Merge, root: UUID, *, own: Collection[UUID]
) -> set[UUID]:
    """Dialogs that began while the merge stood, and in which nobody else was spoken with."""
    is_own = func.coalesce(func.bool_and(Message.identity_id.in_(own)), False)
    rows = await session.scalars(
        select(Dialog.id)
        .join(Message, Message.dialog_id == Dialog.id)
        .where(
            Dialog.customer_id == root,
            Dialog.created_at >= merge.created_at,
            Message.identity_id.is_not(None),
        )
        .group_by(Dialog.id)
        .having(is_own)
    )
    return set(rows)


async def _tell(session: AsyncSession, merge: Merge, customer_id: UUID, *, actor: Actor) -> None:
    ids = {"merge_id": str(merge.id), "merged_id": str(merge.merged_id)}
    await facts.record(session, "customer.unmerged", actor=actor, customer_id=customer_id, data=ids)
