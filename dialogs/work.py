"""What work outside the talk does to a dialog: who is let in, how much is due, how it comes back.

Knows no tasks: the cause of the work is an id, what is due is told by the caller.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, facts
from app.core.errors import Conflict
from app.core.facts import Actor
from dialogs.models import Dialog, DialogGuest, DialogGuestTeam


@dataclass(frozen=True, slots=True)
class Load:
    """Unfinished work linked to a dialog, and when the first of it is due."""

    count: int = 0
    deadline_at: datetime | None = None


@dataclass(slots=True)
class Change:
    """What became of a dialog; `lost_*`: guests who are none any more, by no cause."""

    touched: bool = False
    lost_agents: set[UUID] = field(default_factory=set)
    lost_teams: set[UUID] = field(default_factory=set)


async def lock(
    session: AsyncSession, ids: Collection[UUID], *, with_open: bool = False
) -> dict[UUID, Dialog]:
    """Lock dialogs in the order of their ids; `with_open`: their customers' open ones too."""
    if not ids:
        return {}
    chosen: ColumnElement[bool] = Dialog.id.in_(ids)
    if with_open:
        customers = select(Dialog.customer_id).where(Dialog.id.in_(ids))
        chosen = or_(chosen, (Dialog.status != "closed") & Dialog.customer_id.in_(customers))
    query = (
        select(Dialog)
        .where(chosen)
        .order_by(Dialog.id)
        .with_for_update(of=Dialog)
        .execution_options(populate_existing=True)
    )
    return {dialog.id: dialog for dialog in await session.scalars(query)}


def set_load(dialog: Dialog, load: Load) -> bool:
    """Keep the counters of a locked dialog; whether they changed."""
    changed = (dialog.task_count, dialog.next_deadline_at) != (load.count, load.deadline_at)
    dialog.task_count, dialog.next_deadline_at = load.count, load.deadline_at
    return changed


async def set_guests(
    session: AsyncSession,
    dialog_id: UUID,
    *,
    cause_id: UUID,
    agent_ids: Iterable[UUID] = (),
    team_ids: Iterable[UUID] = (),
) -> Change:
    """Make these the dialog's guests because of `cause_id`, and no others."""
    agents = await _set(session, DialogGuest, DialogGuest.agent_id, dialog_id, cause_id, set(agent_ids))
    teams = await _set(session, DialogGuestTeam, DialogGuestTeam.team_id, dialog_id, cause_id, set(team_ids))
    return Change(touched=agents[0] or teams[0], lost_agents=agents[1], lost_teams=teams[1])


async def _set(
    session: AsyncSession,
    table: type[DialogGuest] | type[DialogGuestTeam],
    column: Any,
    dialog_id: UUID,
    cause_id: UUID,
    wanted: set[UUID],
) -> tuple[bool, set[UUID]]:
    rows = (await session.execute(select(column, table.cause_id).where(table.dialog_id == dialog_id))).all()
    present = {guest for guest, cause in rows if cause == cause_id}
    others = {guest for guest, cause in rows if cause != cause_id}
    if gone := present - wanted:
        await session.execute(
            delete(table).where(table.dialog_id == dialog_id, table.cause_id == cause_id, column.in_(gone))
        )
    for guest in wanted - present:
        session.add(table(**{"dialog_id": dialog_id, "cause_id": cause_id, column.key: guest}))
    await session.flush()
    return present != wanted, gone - others


async def bring_back(
    session: AsyncSession, ids: Collection[UUID], *, actor: Actor, by: str = "task"
) -> list[Dialog]:
    """Make the dialogs wait for an answer again, and return those that do: one per customer.

    A customer has one dialog that is not closed: that one comes back, or else the newest of `ids`
    is reopened.
    """
    locked = await lock(session, ids, with_open=True)
    newest: dict[UUID, Dialog] = {}
    for dialog in sorted(locked.values(), key=lambda dialog: (dialog.status != "closed", dialog.number)):
        newest[dialog.customer_id] = dialog
    # By customer: reopening may wait for another transaction, and two must not wait for each other.
    back = [await _opened(session, newest[id], actor=actor, by=by) for id in sorted(newest)]
    for dialog in back:
        dialog.waiting_since = dialog.waiting_since or clock.now()
        dialog.last_message_at = clock.now()
    await session.flush()
    return back


async def _opened(session: AsyncSession, dialog: Dialog, *, actor: Actor, by: str) -> Dialog:
    if dialog.status == "closed":
        return await _reopen(session, dialog, actor=actor, by=by)
    if dialog.status == "snoozed":
        dialog.status, dialog.snoozed_until = "open", None
        await _tell(session, dialog, "dialog.woken", actor=actor)
    return dialog


async def _reopen(session: AsyncSession, dialog: Dialog, *, actor: Actor, by: str) -> Dialog:
    for _ in range(3):
        try:
            async with session.begin_nested():
                await session.execute(
                    update(Dialog)
                    .where(Dialog.id == dialog.id)
                    .values(status="open", closed_at=None, closed_by=None, snoozed_until=None)
                    .execution_options(synchronize_session=False)
                )
        except IntegrityError:
            # The customer has written since the look: his new dialog is the one to come back.
            for other in (await lock(session, [dialog.id], with_open=True)).values():
                if other.status != "closed":
                    return await _opened(session, other, actor=actor, by=by)
        else:
            await session.refresh(dialog)
            await _tell(session, dialog, "dialog.reopened", actor=actor, data={"by": by})
            return dialog
    raise Conflict("The customer's dialog kept changing; try again.")


async def record_change(
    session: AsyncSession, dialog: Dialog, *, actor: Actor, change: Change, cause_id: UUID
) -> None:
    """The fact that a dialog looks different, or is seen by others, than before because of `cause_id`."""
    keys = {f"agent:{id}" for id in change.lost_agents} | {f"team:{id}" for id in change.lost_teams}
    await _tell(session, dialog, "dialog.changed", actor=actor, data=former(keys))
    if change.touched:
        await record_sight(session, dialog.id, actor=actor, lost=keys, but=cause_id)


async def record_sight(
    session: AsyncSession,
    dialog_id: UUID,
    *,
    actor: Actor,
    lost: Iterable[str] = (),
    but: UUID | None = None,
) -> None:
    """The fact, for all work linked to a dialog, that it is seen by others or names another customer.

    To be called when the dialog's audience or customer has changed; `lost`: keys that see it no more.
    """
    causes = await session.scalars(
        select(DialogGuest.cause_id).where(DialogGuest.dialog_id == dialog_id).distinct()
    )
    for cause in sorted(set(causes) - {but}):
        await facts.record(session, "task.audience", actor=actor, task_id=cause, data=former(lost))


def former(keys: Iterable[str]) -> dict[str, Any]:
    """The `from_…` values of a fact: who has seen it until now, by the keys of `dialogs.access`."""
    found: dict[str, Any] = {}
    for key in sorted(keys):
        noun, _, id = key.partition(":")
        if noun == "channel":
            found["from_channel_id"] = id
        elif noun in ("agent", "team"):
            found.setdefault("from_guest_ids" if noun == "agent" else "from_guest_team_ids", []).append(id)
    return found


async def _tell(
    session: AsyncSession, dialog: Dialog, type: str, *, actor: Actor, data: dict[str, Any] | None = None
) -> None:
    await facts.record(
        session,
        type,
        actor=actor,
        customer_id=dialog.customer_id,
        dialog_id=dialog.id,
        data=data,
    )
