"""Links of a task to dialogs and messages, and what they mean for the dialogs.

Owner, creator and team of a task are guests of its dialogs for as long as the link stands; a dialog
knows how many unfinished tasks it has and when the first of them is due.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts
from app.core.facts import Actor
from dialogs import work
from dialogs.access import access_dialog, access_message, audiences
from dialogs.models import Dialog, Message
from tasks.access import access_task
from tasks.models import UNFINISHED_STATUSES, Task, TaskDialog, TaskMessage


async def linked_dialogs(session: AsyncSession, task_id: UUID) -> set[UUID]:
    return set(await session.scalars(select(TaskDialog.dialog_id).where(TaskDialog.task_id == task_id)))


async def settle(
    session: AsyncSession,
    task: Task,
    *,
    actor: Actor,
    former: Iterable[UUID] = (),
    touched: Collection[UUID] = (),
) -> list[Dialog]:
    """Bring guests and counters of the task's dialogs up to date, and lock and return the linked ones.

    To be called after every change of the task or its links. `former`: dialogs it was linked to
    until now. `touched`: dialogs that changed already and have to be told of.
    """
    await session.flush()
    linked = await linked_dialogs(session, task.id)
    dialogs = await work.lock(session, linked | set(former) | set(touched))
    loads = await _loads(session, dialogs)
    people = {agent for agent in (task.owner_id, task.created_by) if agent}
    teams = {task.team_id} if task.team_id else set[UUID]()
    for id, dialog in dialogs.items():
        change = await work.set_guests(
            session,
            id,
            cause_id=task.id,
            agent_ids=people if id in linked else (),
            team_ids=teams if id in linked else (),
        )
        moved = work.set_load(dialog, loads.get(id, work.Load()))
        if moved or change.touched or id in touched:
            await work.record_change(session, dialog, actor=actor, change=change, cause_id=task.id)
    await session.flush()
    return [dialog for id, dialog in dialogs.items() if id in linked]


async def _loads(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, work.Load]:
    rows = await session.execute(
        select(TaskDialog.dialog_id, func.count(), func.min(Task.deadline_at))
        .join(Task, Task.id == TaskDialog.task_id)
        .where(TaskDialog.dialog_id.in_(list(ids)), Task.status.in_(UNFINISHED_STATUSES))
        .group_by(TaskDialog.dialog_id)
    )
    return {id: work.Load(count=count, deadline_at=deadline_at) for id, count, deadline_at in rows}


async def add(
    session: AsyncSession, task: Task, *, dialog_ids: Iterable[UUID] = (), message_ids: Iterable[UUID] = ()
) -> dict[str, list[UUID]]:
    """Insert links; which of them are new. Neither checks rights nor tells anybody."""
    return {
        "dialog_id": [id for id in dialog_ids if await _insert(session, TaskDialog, task.id, dialog_id=id)],
        "message_id": [
            id for id in message_ids if await _insert(session, TaskMessage, task.id, message_id=id)
        ],
    }


async def _insert(
    session: AsyncSession, table: type[TaskDialog] | type[TaskMessage], task_id: UUID, **target: UUID
) -> bool:
    row = insert(table).values(task_id=task_id, **target).on_conflict_do_nothing()
    return (await session.execute(row.returning(table.task_id))).first() is not None


async def link_dialog(session: AsyncSession, viewer: Viewer, task_id: UUID, dialog_id: UUID) -> None:
    """Link a dialog; nothing happens when it is linked already."""
    task = await access_task(session, viewer, task_id, lock=True)
    await access_dialog(session, viewer, dialog_id)
    new = await add(session, task, dialog_ids=[dialog_id])
    await _tell(session, task, new, type="task.linked", actor=viewer.actor)


async def link_message(session: AsyncSession, viewer: Viewer, task_id: UUID, message_id: UUID) -> None:
    """Link a message and its dialog."""
    task = await access_task(session, viewer, task_id, lock=True)
    message = await access_message(session, viewer, message_id)
    new = await add(session, task, dialog_ids=[message.dialog_id], message_ids=[message_id])
    await _tell(session, task, new, type="task.linked", actor=viewer.actor)


async def unlink_dialog(session: AsyncSession, viewer: Viewer, task_id: UUID, dialog_id: UUID) -> None:
    """Unlink a dialog and its messages; nothing happens when it is not linked."""
    task = await access_task(session, viewer, task_id, lock=True)
    await access_dialog(session, viewer, dialog_id)
    seen = (await audiences(session, [dialog_id]))[dialog_id]
    dialogs = await session.scalars(
        delete(TaskDialog)
        .where(TaskDialog.task_id == task_id, TaskDialog.dialog_id == dialog_id)
        .returning(TaskDialog.dialog_id)
    )
    inside = select(Message.id).where(Message.dialog_id == dialog_id)
    messages = await session.scalars(
        delete(TaskMessage)
        .where(TaskMessage.task_id == task_id, TaskMessage.message_id.in_(inside))
        .returning(TaskMessage.message_id)
        .execution_options(synchronize_session=False)
    )
    gone = {"dialog_id": list(dialogs), "message_id": list(messages)}
    await _tell(session, task, gone, type="task.unlinked", actor=viewer.actor, seen=seen)


async def unlink_message(session: AsyncSession, viewer: Viewer, task_id: UUID, message_id: UUID) -> None:
    """Unlink a message; its dialog stays linked."""
    task = await access_task(session, viewer, task_id, lock=True)
    await access_message(session, viewer, message_id)
    messages = await session.scalars(
        delete(TaskMessage)
        .where(TaskMessage.task_id == task_id, TaskMessage.message_id == message_id)
        .returning(TaskMessage.message_id)
    )
    await _tell(session, task, {"message_id": list(messages)}, type="task.unlinked", actor=viewer.actor)


async def _tell(
    session: AsyncSession,
    task: Task,
    targets: dict[str, list[UUID]],
    *,
    type: str,
    actor: Actor,
    seen: frozenset[str] = frozenset(),
) -> None:
    """Record the links, new or gone; `seen`: keys of those who saw the task by a link that is gone."""
    for name, ids in targets.items():
        for id in ids:
            data: dict[str, Any] = {name: str(id), **work.former(seen)}
            await facts.record(session, type, actor=actor, task_id=task.id, data=data)
    if dialogs := targets.get("dialog_id"):
        await settle(session, task, actor=actor, former=dialogs)
