"""What the thread says about tasks: the system lines of a task, and the return of its dialogs."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.facts import Actor
from dialogs import system_lines, work
from dialogs.models import Dialog
from tasks.models import Task


async def write(
    session: AsyncSession, task: Task, dialogs: Iterable[Dialog], *, kind: str, actor: Actor
) -> None:
    """A line about the task into each of these dialogs, which the caller has locked."""
    values = {
        "task_id": str(task.id),
        "task_number": task.number,
        "task_title": task.title,
        "task_status": task.status,
    }
    for dialog in dialogs:
        await system_lines.append(session, dialog, actor=actor, kind=kind, values=values)


async def finish(session: AsyncSession, task: Task, ids: set[UUID], *, actor: Actor) -> set[UUID]:
    """Bring the dialogs of a finished task back, so that the customer is told; which ones came."""
    back = await work.bring_back(session, ids, actor=actor)
    await write(session, task, back, kind="task.finished", actor=actor)
    return {dialog.id for dialog in back}
