"""Which of a customer's dialogs is open when several would be, because he turned out to be two.

The newest stays open and stands for the others: it takes over who waits and who answers. The others are
closed and remember in `apart` how they stood (`was`) and what was made of it (`set`): what nobody has
changed since comes back when they are alone again. Closing the one that is open settles all of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, facts
from app.core.facts import Actor
from dialogs import system_lines, waiting
from dialogs.models import Dialog

_TIMES = ("snoozed_until", "closed_at", "waiting_since")
_IDS = ("closed_by", "assignee_id", "team_id")
_STATE = ("status", "snoozed_until", "closed_at", "closed_by")
_OWNERS = ("assignee_id", "team_id")
State = dict[str, Any]


@dataclass(slots=True)
class _Standing:
    """A dialog: as it is, as it would be alone, and as it shall be."""

    dialog: Dialog
    now: State
    alone: State
    then: State


def _state(dialog: Dialog) -> State:
    return {name: getattr(dialog, name) for name in ("status", *_TIMES, *_IDS)}


def _kept(state: State) -> dict[str, Any]:
    """As JSON keeps it."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if value is not None else None
        for name, value in state.items()
    }


def _read(kept: dict[str, Any]) -> State:
    state: State = dict(kept)
    state |= {name: datetime.fromisoformat(kept[name]) for name in _TIMES if kept[name]}
    state |= {name: UUID(kept[name]) for name in _IDS if kept[name]}
    return state


def _alone(dialog: Dialog) -> State:
    """How the dialog would stand by itself: as it did before, but for what was changed since."""
    now = _state(dialog)
    if dialog.apart is None:
        return now
    was, made = _read(dialog.apart["was"]), _read(dialog.apart["set"])
    alone = dict(now)
    for group in (_STATE, ("waiting_since",), _OWNERS):
        if all(now[name] == made[name] for name in group):
            alone |= {name: was[name] for name in group}
    if alone["status"] == "closed":
        alone["waiting_since"] = None
    return alone


async def settle(
    session: AsyncSession,
    *,
    customers: Collection[UUID],
    actor: Actor,
    others: Collection[UUID] = (),
    recount: Collection[UUID] = (),
) -> None:
    """Leave one open of the dialogs of `customers`, who are one from now on, and of the dialogs `others`.

    The caller has locked them. `recount`: dialogs whose messages have changed.
    """
    await session.flush()
    rows = await session.scalars(
        select(Dialog)
        .where(
            Dialog.customer_id.in_(customers) | Dialog.id.in_(others),
            (Dialog.status != "closed") | Dialog.apart.is_not(None),
        )
        .order_by(Dialog.number)
        .execution_options(populate_existing=True)
    )
    standing = []
    for dialog in rows:
        alone = _alone(dialog)
        if alone["status"] != "closed" and (dialog.id in recount or _heard_since(dialog)):
            alone["waiting_since"] = await waiting.unanswered(session, dialog.id)
        standing.append(_Standing(dialog, _state(dialog), alone, dict(alone)))
    wanted = [one for one in standing if one.alone["status"] != "closed"]
    _put_together(wanted, actor)
    await _write(session, standing)
    for one in standing:
        await _tell(session, one, actor=actor, newest=wanted[-1].dialog if wanted else one.dialog)


def _heard_since(dialog: Dialog) -> bool:
    return dialog.apart is not None and dialog.apart["inbound_count"] != dialog.inbound_count


def _put_together(standing: list[_Standing], actor: Actor) -> None:
    """The newest takes over; of those that give way, the newest with an owner hands him on."""
    if len(standing) < 2:
        return
    *rest, newest = standing
    alone = [one.alone for one in standing]
    newest.then["waiting_since"] = _first(state["waiting_since"] for state in alone)
    if any(state["status"] == "open" for state in alone):
        newest.then |= {"status": "open", "snoozed_until": None}
    else:
        newest.then["snoozed_until"] = _first(state["snoozed_until"] for state in alone)
    if not any(newest.alone[name] for name in _OWNERS):
        owned = [state for state in alone if any(state[name] for name in _OWNERS)]
        newest.then |= {name: owned[-1][name] for name in _OWNERS} if owned else {}
    for one in rest:
        just_now = {"closed_at": clock.now(), "closed_by": actor.id}
        gave_way = one.now if one.now["status"] == "closed" else just_now
        one.then |= {"status": "closed", "snoozed_until": None, "waiting_since": None}
        one.then |= {name: gave_way[name] for name in ("closed_at", "closed_by")}


def _first(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


async def _write(session: AsyncSession, standing: list[_Standing]) -> None:
    """Those that are closed first: a customer never has two that are open."""
    for one in sorted(standing, key=lambda one: one.then["status"] != "closed"):
        apart: Any = null()  # not JSON's own null
        if one.then != one.alone:
            count = one.dialog.inbound_count
            apart = {"was": _kept(one.alone), "set": _kept(one.then), "inbound_count": count}
        await session.execute(
            update(Dialog)
            .where(Dialog.id == one.dialog.id)
            .values(**one.then, apart=apart)
            .execution_options(synchronize_session=False)
        )


async def _tell(session: AsyncSession, one: _Standing, *, actor: Actor, newest: Dialog) -> None:
    before, after = one.now["status"], one.then["status"]
    of_dialog: dict[str, Any] = {
        "actor": actor,
        "customer_id": one.dialog.customer_id,
        "dialog_id": one.dialog.id,
    }
    if {name: one.now[name] for name in _OWNERS} != {name: one.then[name] for name in _OWNERS}:
        data = {name: one.then[name] and str(one.then[name]) for name in _OWNERS}
        data |= {f"from_{name}": one.now[name] and str(one.now[name]) for name in _OWNERS}
        await facts.record(session, "dialog.assigned", **of_dialog, data=data)
    if before != "closed" and after == "closed":
        values = {"dialog_id": str(newest.id), "dialog_number": newest.number}
        await system_lines.append(session, one.dialog, actor=actor, kind="dialog.gave_way", values=values)
        await facts.record(session, "dialog.closed", **of_dialog)
    elif before == "closed" and after != "closed":
        await system_lines.append(session, one.dialog, actor=actor, kind="dialog.came_back", values={})
        await facts.record(session, "dialog.reopened", **of_dialog, data={"by": "unmerge"})
    elif one.now != one.then:
        await facts.record(session, "dialog.changed", **of_dialog)


async def forget(session: AsyncSession, customer_id: UUID) -> None:
    """The customer's open dialog is closed by somebody: so is what it stood for."""
    await session.execute(
        update(Dialog)
        .where(Dialog.customer_id == customer_id, Dialog.apart.is_not(None))
        .values(apart=null())
        .execution_options(synchronize_session=False)
    )
