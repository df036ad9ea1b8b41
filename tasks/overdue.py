"""The passing of deadlines: a loop's turn that records it, once per deadline, in any number of processes."""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, facts
from app.core.facts import SYSTEM
from tasks.models import UNFINISHED, Task

BATCH = 100
DUE = f"select min(deadline_at) from tasks where {UNFINISHED} and overdue_at is null"  # noqa: S608 - constants
"""When the next deadline passes."""


async def turn(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Record up to `limit` deadlines that have passed; how many there were."""
    now = clock.now()
    due = (
        select(Task)
        .where(text(UNFINISHED), Task.overdue_at.is_(None), Task.deadline_at <= now)
        .order_by(Task.deadline_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    tasks = (await session.scalars(due)).all()
    for task in tasks:
        task.overdue_at = now
        await facts.record(session, "task.overdue", actor=SYSTEM, task_id=task.id)
    return len(tasks)
