"""Reading tasks in the form the API and the feed give them, lists, counts and the history of one.

No policy here: callers ask for ids they may see, or pass a condition of `tasks.access`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Text, and_, cast, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import clock, facts
from app.core.errors import NotFound
from app.core.models import Fact
from dialogs.models import Customer, Dialog, Message
from tasks.access import visible
from tasks.models import UNFINISHED_STATUSES, Task, TaskDialog, TaskMessage
from tasks.schemas import TaskDialogRef, TaskFact, TaskOut, TaskProgress, TaskView

_FIELDS = frozenset(TaskOut.model_fields) - {"overdue", "dialogs", "message_ids"}

unfinished = Task.status.in_(UNFINISHED_STATUSES)


async def tasks(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, TaskOut]:
    """Tasks by id."""
    rows = (await session.scalars(select(Task).where(Task.id.in_(list(ids))))).all()
    return {task.id: task for task in await _forms(session, rows)}


async def task(session: AsyncSession, task_id: UUID) -> TaskOut:
    """One task by id; raises `NotFound`."""
    found = (await tasks(session, [task_id])).get(task_id)
    if found is None:
        raise NotFound
    return found


async def _forms(session: AsyncSession, rows: Sequence[Task]) -> list[TaskOut]:
    ids = [row.id for row in rows]
    dialogs, messages = await _dialogs(session, ids), await _messages(session, ids)
    now = clock.now()
    return [
        TaskOut.model_construct(
            **{name: getattr(row, name) for name in _FIELDS},
            overdue=row.status in UNFINISHED_STATUSES and row.deadline_at <= now,
            dialogs=dialogs.get(row.id, []),
            message_ids=messages.get(row.id, []),
        )
        for row in rows
    ]


async def _dialogs(session: AsyncSession, ids: list[UUID]) -> dict[UUID, list[TaskDialogRef]]:
    rows = await session.execute(
        select(TaskDialog.task_id, Dialog.id, Dialog.number, Customer.id, Customer.name)
        .join(Dialog, Dialog.id == TaskDialog.dialog_id)
        .join(Customer, Customer.id == Dialog.customer_id)
        .where(TaskDialog.task_id.in_(ids))
        .order_by(Dialog.number)
    )
    found = defaultdict[UUID, list[TaskDialogRef]](list)
    for task_id, id, number, customer_id, name in rows:
        found[task_id].append(
            TaskDialogRef(id=id, number=number, customer_id=customer_id, customer_name=name)
        )
    for refs in found.values():
        if len({ref.customer_id for ref in refs}) > 1:
            # A task is serialised once for all who see it, and some of them see one dialog only.
            refs[:] = [ref.model_copy(update={"customer_name": None}) for ref in refs]
    return found


async def _messages(session: AsyncSession, ids: list[UUID]) -> dict[UUID, list[UUID]]:
    rows = await session.execute(
        select(TaskMessage.task_id, TaskMessage.message_id)
        .join(Message, Message.id == TaskMessage.message_id)
        .where(TaskMessage.task_id.in_(ids))
        .order_by(Message.seq)
    )
    found = defaultdict[UUID, list[UUID]](list)
    for task_id, message_id in rows:
        found[task_id].append(message_id)
    return found


# --- lists ----------------------------------------------------------------------------------


def of_view(viewer: Viewer, view: TaskView) -> ColumnElement[bool]:
    """Condition on `Task`: it belongs into this view of the viewer, and he may see it."""
    if view == "mine":
        return Task.owner_id == viewer.agent_id
    if view == "created":
        return Task.created_by == viewer.agent_id
    if view == "team":
        return Task.team_id.in_(viewer.team_ids)
    if view == "overdue":
        return and_(unfinished, Task.deadline_at <= clock.now(), visible(viewer))
    return visible(viewer)


def of_progress(progress: TaskProgress) -> list[ColumnElement[bool]]:
    if progress == "any":
        return []
    return [unfinished if progress == "unfinished" else ~unfinished]


def linked_to(*, dialog_id: UUID | None = None, customer_id: UUID | None = None) -> list[ColumnElement[bool]]:
    """Conditions on `Task`: it is linked to this dialog, to a dialog of this customer."""
    links = select(TaskDialog.task_id)
    found: list[ColumnElement[bool]] = []
    if dialog_id is not None:
        found.append(Task.id.in_(links.where(TaskDialog.dialog_id == dialog_id)))
    if customer_id is not None:
        theirs = select(Dialog.id).where(Dialog.customer_id == customer_id)
        found.append(Task.id.in_(links.where(TaskDialog.dialog_id.in_(theirs))))
    return found


def matches(words: str) -> ColumnElement[bool]:
    """Condition on `Task`: its title holds `words`, or its number is `words` (with or without `#`)."""
    words = words.strip()
    found = func.lower(Task.title).contains(words.lower(), autoescape=True)
    number = words.lstrip("#№").strip()
    if number.isascii() and number.isdigit() and len(number) < 18:
        return or_(found, Task.number == int(number))
    return found


async def page(
    session: AsyncSession,
    *,
    where: Sequence[ColumnElement[bool]],
    newest_first: bool,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[TaskOut], tuple[datetime, UUID] | None]:
    """A part of a list and where it ends, if there is more.

    By deadline, or by the time of finishing with `newest_first` (for finished tasks only).
    """
    at = func.coalesce(Task.finished_at, Task.created_at) if newest_first else Task.deadline_at
    query = select(Task, at).where(*where).limit(limit + 1)
    if newest_first:
        query = query.order_by(at.desc(), Task.id.desc())
        query = query.where(tuple_(at, Task.id) < _place(*after)) if after else query
    else:
        query = query.order_by(at, Task.id)
        query = query.where(tuple_(at, Task.id) > _place(*after)) if after else query
    rows = (await session.execute(query)).all()
    items = await _forms(session, [row[0] for row in rows[:limit]])
    end = (rows[limit - 1][1], rows[limit - 1][0].id) if len(rows) > limit else None
    return items, end


def _place(at: datetime, id: UUID) -> Any:
    return tuple_(literal(at, Task.deadline_at.type), literal(id, Task.id.type))


async def counts(session: AsyncSession, viewer: Viewer) -> dict[str, int]:
    """Unfinished tasks of the viewer, and overdue ones that he sees: `tasks_mine`, `tasks_overdue`."""
    mine = select(func.count()).select_from(Task).where(of_view(viewer, "mine"), unfinished)
    overdue = select(func.count()).select_from(Task).where(of_view(viewer, "overdue"))
    row = (await session.execute(select(mine.scalar_subquery(), overdue.scalar_subquery()))).one()
    return {"tasks_mine": row[0], "tasks_overdue": row[1]}


async def history(
    session: AsyncSession, task_id: UUID, *, after: int, limit: int
) -> tuple[list[TaskFact], int | None]:
    """Facts of a task, oldest first, and where the part ends, if there is more."""
    xid = cast(cast(Fact.xid, Text), BigInteger)
    rows = (
        await session.execute(
            select(Fact.id, xid, Fact.type, Fact.at, Fact.actor_kind, Fact.actor_id, Fact.data)
            .where(Fact.task_id == task_id, Fact.id > after, Fact.type != "task.audience")
            .order_by(Fact.id)
            .limit(limit + 1)
        )
    ).all()
    epoch = await facts.epoch(session)
    items = [
        TaskFact(
            cursor=facts.encode(facts.Position(xid=row[1], id=row[0]), epoch=epoch),
            type=row[2],
            at=row[3],
            actor={"kind": row[4], "id": row[5]},
            task_id=task_id,
            data={key: value for key, value in row[6].items() if not key.startswith("from_guest")},
        )
        for row in rows[:limit]
    ]
    return items, rows[limit - 1][0] if len(rows) > limit else None
