"""Making and changing tasks. Every change is recorded, and settled with the linked dialogs."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent, Team
from app.agents.viewer import Viewer
from app.core import clock, facts
from app.core.errors import Invalid, NotFound
from dialogs.access import access_dialog, access_message
from dialogs.models import Dialog, Message
from tasks import lines, links
from tasks.access import access_task
from tasks.deadlines import next_working_morning
from tasks.models import UNFINISHED_STATUSES, Task
from tasks.schemas import TaskChange, TaskNew

TITLE = 120
"""Letters of a message that become a title."""


async def create(session: AsyncSession, viewer: Viewer, new: TaskNew) -> Task:
    """Make a task; what it is linked to must be visible to the caller."""
    messages = [await access_message(session, viewer, id) for id in dict.fromkeys(new.message_ids)]
    dialogs = [await access_dialog(session, viewer, id) for id in dict.fromkeys(new.dialog_ids)]
    owner = await _owner(session, new.owner_id or viewer.agent_id)
    await _check_team(session, new.team_id)
    task = Task(
        title=new.title or _title(messages, dialogs),
        description=new.description,
        owner_id=owner.id,
        team_id=new.team_id,
        deadline_at=new.deadline_at or next_working_morning(clock.now(), time_zone=owner.time_zone),
        created_by=viewer.agent_id,
    )
    session.add(task)
    await session.flush()
    await facts.record(session, "task.created", actor=viewer.actor, task_id=task.id)
    dialog_ids = dict.fromkeys(
        [dialog.id for dialog in dialogs] + [message.dialog_id for message in messages]
    )
    await links.add(session, task, dialog_ids=dialog_ids, message_ids=[message.id for message in messages])
    linked = await links.settle(session, task, actor=viewer.actor)
    await lines.write(session, task, linked, kind="task.created", actor=viewer.actor)
    return task


def _title(messages: Iterable[Message], dialogs: Iterable[Dialog]) -> str:
    texts = [message.text for message in messages] + [dialog.preview for dialog in dialogs]
    for text in texts:
        if words := " ".join(text.split()):
            return words if len(words) <= TITLE else f"{words[: TITLE - 1].rstrip()}…"
    raise Invalid(
        "Give the task a title: there is no message to take it from.",
        errors=[{"field": "title", "code": "missing", "message": "A task needs a title."}],
    )


async def _owner(session: AsyncSession, agent_id: UUID) -> Agent:
    agent = await session.get(Agent, agent_id)
    if agent is None:
        raise NotFound("There is no agent with this `owner_id`.")
    if not agent.active:
        raise Invalid(
            "This agent does not work here any more: choose another owner.",
            errors=[{"field": "owner_id", "code": "inactive", "message": "The agent is inactive."}],
        )
    return agent


async def _check_team(session: AsyncSession, team_id: UUID | None) -> None:
    if team_id is not None and await session.get(Team, team_id) is None:
        raise NotFound("There is no team with this `team_id`.")


async def change(session: AsyncSession, viewer: Viewer, task_id: UUID, wanted: TaskChange) -> None:
    """Set the fields that were sent. What is already so is not recorded."""
    task = await access_task(session, viewer, task_id, lock=True)
    before = {
        name: getattr(task, name)
        for name in sorted(wanted.model_fields_set)
        if getattr(task, name) != getattr(wanted, name)
    }
    if not before:
        return
    if "owner_id" in before and wanted.owner_id is not None:
        await _owner(session, wanted.owner_id)
    if "team_id" in before:
        await _check_team(session, wanted.team_id)
    _apply(task, wanted, before)
    await session.flush()
    await _record(session, viewer, task, before)
    await _follow(session, viewer, task, before)


def _apply(task: Task, wanted: TaskChange, fields: Iterable[str]) -> None:
    for name in fields:
        setattr(task, name, getattr(wanted, name))
    if "status" in fields:
        task.finished_at = None if task.status in UNFINISHED_STATUSES else clock.now()
    if task.deadline_at > clock.now():
        task.overdue_at = None


async def _record(session: AsyncSession, viewer: Viewer, task: Task, before: dict[str, Any]) -> None:
    if "status" in before:
        data = {"status": task.status, "from": before["status"]}
        await facts.record(session, "task.status", actor=viewer.actor, task_id=task.id, data=data)
    if fields := [name for name in before if name != "status"]:
        data = {"fields": fields}
        for name in ("owner_id", "team_id"):
            if name in before:
                data[f"from_{name}"] = str(before[name]) if before[name] else None
                value = getattr(task, name)
                data[name] = str(value) if value else None
        await facts.record(session, "task.changed", actor=viewer.actor, task_id=task.id, data=data)


async def _follow(session: AsyncSession, viewer: Viewer, task: Task, before: dict[str, Any]) -> None:
    """What the change means for the linked dialogs."""
    back: set[UUID] = set()
    if "status" in before and task.status == "done":
        linked = await links.linked_dialogs(session, task.id)
        back = await lines.finish(session, task, linked, actor=viewer.actor)
    if back or {"status", "owner_id", "team_id", "deadline_at"} & before.keys():
        dialogs = await links.settle(session, task, actor=viewer.actor, touched=back)
        if "status" in before and task.status == "cancelled":
            await lines.write(session, task, dialogs, kind="task.cancelled", actor=viewer.actor)
