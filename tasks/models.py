"""Tasks and what they are linked to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Sequence, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base, created, one_of, uid

STATUSES = ("todo", "in_progress", "waiting", "done", "cancelled")
UNFINISHED_STATUSES = STATUSES[:3]
UNFINISHED = one_of("status", UNFINISHED_STATUSES)

task_numbers = Sequence("task_numbers", metadata=Base.metadata)


class Task(Base):
    """Work that outlives the talk: number, title, owner, status, deadline."""

    __tablename__ = "tasks"

    id: Mapped[uid]
    number: Mapped[int] = mapped_column(task_numbers, server_default=task_numbers.next_value(), unique=True)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="todo")
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id"))
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("teams.id"))
    deadline_at: Mapped[datetime]
    overdue_at: Mapped[datetime | None]
    """When the passing of the deadline was recorded; empty again when the deadline moves."""
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    created_at: Mapped[created]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint("(status in ('done', 'cancelled')) = (finished_at is not null)", name="finished"),
        Index("ix_tasks_owner", "owner_id", "deadline_at"),
        Index("ix_tasks_creator", "created_by", "deadline_at"),
        Index("ix_tasks_team", "team_id", "deadline_at"),
        Index("ix_tasks_due", "deadline_at", postgresql_where=text(f"{UNFINISHED} and overdue_at is null")),
    )


class TaskDialog(Base):
    __tablename__ = "task_dialogs"

    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    dialog_id: Mapped[UUID] = mapped_column(
        ForeignKey("dialogs.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class TaskMessage(Base):
    __tablename__ = "task_messages"

    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
