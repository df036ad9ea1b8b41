"""REST of tasks: lists, one task, its links and its history."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.agents.deps import Caller
from app.core import idempotency, paging
from app.core.deps import Session
from app.core.errors import Invalid
from app.core.paging import Cursor, Limit, Page
from dialogs.access import access_dialog, newest_visible
from tasks import links, queries
from tasks import tasks as service
from tasks.access import access_task
from tasks.schemas import TaskChange, TaskFact, TaskNew, TaskOut, TaskProgress, TaskView

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=idempotency.Route)

_BAD_CURSOR = "`cursor` must be the `next` of a page of the same list."
Words = Annotated[str | None, Query(max_length=200, description="Part of a title, or a number.")]


@router.get("")
async def task_list(
    caller: Caller,
    session: Session,
    view: TaskView = "mine",
    status: TaskProgress = "unfinished",
    dialog_id: UUID | None = None,
    customer_id: UUID | None = None,
    q: Words = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TaskOut]:
    """Tasks, the nearest deadline first; finished ones newest first.

    `mine`: owned by the caller. `created`: made by the caller. `team`: of the caller's teams.
    `overdue`: unfinished after their deadline. `all`: everything the caller may see.
    """
    if dialog_id is not None:
        await access_dialog(session, caller, dialog_id)
    if customer_id is not None:
        await newest_visible(session, caller, customer_id)
    where = [queries.of_view(caller, view), *queries.of_progress(status)]
    where += queries.linked_to(dialog_id=dialog_id, customer_id=customer_id)
    if q and q.strip():
        where.append(queries.matches(q))
    items, end = await queries.page(
        session,
        where=where,
        newest_first=status == "finished",
        after=_place(cursor) if cursor else None,
        limit=limit,
    )
    return Page(items=items, next=paging.encode([end[0].isoformat(), str(end[1])]) if end else None)


def _place(cursor: str) -> tuple[datetime, UUID]:
    at, id = paging.decode(cursor, length=2)
    try:
        return datetime.fromisoformat(at).astimezone(UTC), UUID(id)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise Invalid(_BAD_CURSOR) from None


@router.post("", status_code=201)
async def task_create(body: TaskNew, caller: Caller, session: Session) -> TaskOut:
    """Make a task; linking a message links its dialog. Whoever gets the task sees its dialogs."""
    task = await service.create(session, caller, body)
    return await queries.task(session, task.id)


@router.get("/{task_id}")
async def task_get(task_id: UUID, caller: Caller, session: Session) -> TaskOut:
    """One task."""
    await access_task(session, caller, task_id)
    return await queries.task(session, task_id)


@router.patch("/{task_id}")
async def task_update(task_id: UUID, body: TaskChange, caller: Caller, session: Session) -> TaskOut:
    """Change the fields that are sent. A task that becomes `done` brings its dialogs back to their owners."""
    await service.change(session, caller, task_id, body)
    return await queries.task(session, task_id)


@router.put("/{task_id}/dialogs/{dialog_id}")
async def task_dialog_add(task_id: UUID, dialog_id: UUID, caller: Caller, session: Session) -> TaskOut:
    """Link a dialog. Whoever has the task sees the dialog from then on."""
    await links.link_dialog(session, caller, task_id, dialog_id)
    return await queries.task(session, task_id)


@router.delete("/{task_id}/dialogs/{dialog_id}")
async def task_dialog_remove(task_id: UUID, dialog_id: UUID, caller: Caller, session: Session) -> TaskOut:
    """Unlink a dialog, and the messages of it."""
    await links.unlink_dialog(session, caller, task_id, dialog_id)
    return await queries.task(session, task_id)


@router.put("/{task_id}/messages/{message_id}")
async def task_message_add(task_id: UUID, message_id: UUID, caller: Caller, session: Session) -> TaskOut:
    """Link a message and its dialog."""
    await links.link_message(session, caller, task_id, message_id)
    return await queries.task(session, task_id)


@router.delete("/{task_id}/messages/{message_id}")
async def task_message_remove(task_id: UUID, message_id: UUID, caller: Caller, session: Session) -> TaskOut:
    """Unlink a message; its dialog stays linked."""
    await links.unlink_message(session, caller, task_id, message_id)
    return await queries.task(session, task_id)


@router.get("/{task_id}/facts")
async def task_facts(
    task_id: UUID, caller: Caller, session: Session, cursor: Cursor = None, limit: Limit = 50
) -> Page[TaskFact]:
    """What happened to the task, oldest first."""
    await access_task(session, caller, task_id)
    after = paging.decode(cursor, length=1)[0] if cursor else 0
    if not isinstance(after, int) or not 0 <= after < 2**63:
        raise Invalid(_BAD_CURSOR)
    items, end = await queries.history(session, task_id, after=after, limit=limit)
    return Page(items=items, next=paging.encode([end]) if end else None)
