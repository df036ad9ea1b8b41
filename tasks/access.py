"""Who may see a task: the one policy, as SQL and as keys of the feed.

Seen by its owner, its creator, the members of its team, a lead of any of them, an admin, and by
whoever sees one of the dialogs it is linked to. The other way round the same people are guests of
all linked dialogs (`tasks.links`), so that whoever has the work also has the talk.
"""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core.errors import NotFound
from dialogs import access as dialog_access
from dialogs.models import Dialog
from tasks.models import Task, TaskDialog


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Condition on `Task`: the viewer may see it."""
    if viewer.is_admin:
        return true()
    people = {viewer.agent_id} | viewer.mate_ids
    # A scalar and no EXISTS: the planner would make a list of all dialogs that the viewer sees first.
    linked = (
        select(true())
        .select_from(TaskDialog)
        .join(Dialog, Dialog.id == TaskDialog.dialog_id)
        .where(TaskDialog.task_id == Task.id, dialog_access.visible(viewer))
        .correlate(Task)
        .limit(1)
        .scalar_subquery()
    )
    return or_(
        Task.owner_id.in_(people),
        Task.created_by.in_(people),
        Task.team_id.in_(viewer.team_ids),
        func.coalesce(linked, false()),
    )


def audience(
    *,
    owner_id: UUID,
    created_by: UUID | None,
    team_id: UUID | None,
    dialogs: Iterable[frozenset[str]] = (),
) -> frozenset[str]:
    """The same policy for the feed; `dialogs`: the audiences of the linked dialogs."""
    keys = {dialog_access.ADMIN, f"agent:{owner_id}"}
    if created_by is not None:
        keys.add(f"agent:{created_by}")
    if team_id is not None:
        keys.add(f"team:{team_id}")
    return frozenset(keys.union(*dialogs))


async def audiences(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, frozenset[str]]:
    """Audiences of these tasks as they are now."""
    wanted = list(ids)
    linked = defaultdict[UUID, list[UUID]](list)
    for task_id, dialog_id in await session.execute(
        select(TaskDialog.task_id, TaskDialog.dialog_id).where(TaskDialog.task_id.in_(wanted))
    ):
        linked[task_id].append(dialog_id)
    seen = await dialog_access.audiences(session, {dialog for found in linked.values() for dialog in found})
    rows = await session.execute(
        select(Task.id, Task.owner_id, Task.created_by, Task.team_id).where(Task.id.in_(wanted))
    )
    return {
        id: audience(
            owner_id=owner_id,
            created_by=created_by,
            team_id=team_id,
            dialogs=[seen[dialog] for dialog in linked[id] if dialog in seen],
        )
        for id, owner_id, created_by, team_id in rows
    }


async def access_task(session: AsyncSession, viewer: Viewer, task_id: UUID, *, lock: bool = False) -> Task:
    """The task, when the viewer may see it; else `NotFound`. `lock`: for a change."""
    query = select(Task).where(Task.id == task_id, visible(viewer))
    if lock:
        query = query.with_for_update(of=Task).execution_options(populate_existing=True)
    task = await session.scalar(query)
    if task is None:
        raise NotFound
    return task
