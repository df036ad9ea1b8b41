"""What the API and the feed say about tasks, and what they take."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from app.core.text import LongText, ShortText

TaskStatus = Literal["todo", "in_progress", "waiting", "done", "cancelled"]
TaskView = Literal["mine", "created", "team", "overdue", "all"]
TaskProgress = Literal["unfinished", "finished", "any"]

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _reasonable(value: datetime) -> datetime:
    if not _FIRST <= value < _LAST:
        raise ValueError("must lie between the years 2000 and 2199")
    return value.astimezone(UTC)


Deadline = Annotated[AwareDatetime, AfterValidator(_reasonable)]
Title = Annotated[ShortText, StringConstraints(min_length=1)]


_EXAMPLE = {
    "title": "Find out where parcel 4711 is",
    "deadline_at": "2026-11-23T05:00:00Z",
    "message_ids": ["0199b6a0-0000-7000-8000-000000000001"],
}
_SHOWN = {
    "id": "0199b6a0-0000-7000-8000-000000000003",
    "number": 17,
    "title": "Find out where parcel 4711 is",
    "description": "",
    "status": "todo",
    "owner_id": "0199b6a0-0000-7000-8000-000000000004",
    "team_id": None,
    "deadline_at": "2026-11-23T05:00:00Z",
    "overdue": False,
    "created_by": "0199b6a0-0000-7000-8000-000000000005",
    "created_at": "2026-11-20T14:21:07Z",
    "finished_at": None,
    "dialogs": [
        {
            "id": "0199b6a0-0000-7000-8000-000000000002",
            "number": 205,
            "customer_id": "0199b6a0-0000-7000-8000-000000000006",
            "customer_name": "Clara Novak",
        }
    ],
    "message_ids": ["0199b6a0-0000-7000-8000-000000000001"],
}


class TaskDialogRef(BaseModel):
    """A dialog the task is linked to."""

    id: UUID
    number: int
    customer_id: UUID
    customer_name: str | None = Field(
        description="Null when the task joins dialogs of several customers: "
        "not everyone who sees the task sees each of them."
    )


class TaskOut(BaseModel, json_schema_extra={"example": _SHOWN}):
    id: UUID
    number: int
    title: str
    description: str
    status: TaskStatus
    owner_id: UUID
    team_id: UUID | None
    deadline_at: datetime
    overdue: bool = Field(description="Unfinished, and the deadline has passed.")
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None = Field(description="When it became done or cancelled.")
    dialogs: list[TaskDialogRef]
    message_ids: list[UUID]


class TaskFact(BaseModel):
    """A step of the task's history; the ids in `data` depend on `type`."""

    cursor: str
    type: str
    at: datetime
    actor: dict[str, Any]
    task_id: UUID
    data: dict[str, Any]


# --- requests -------------------------------------------------------------------------------


class TaskNew(BaseModel, extra="forbid", json_schema_extra={"example": _EXAMPLE}):
    title: ShortText = Field("", description="Left out: the beginning of the linked message.")
    description: LongText = ""
    owner_id: UUID | None = Field(None, description="Left out: the caller.")
    team_id: UUID | None = None
    deadline_at: Deadline | None = Field(
        None, description="Left out: the next working morning, 08:00 in the owner's time zone."
    )
    dialog_ids: list[UUID] = Field(default_factory=list, max_length=20)
    message_ids: list[UUID] = Field(
        default_factory=list, max_length=20, description="Their dialogs are linked too."
    )


class TaskChange(BaseModel, extra="forbid", json_schema_extra={"example": {"status": "done"}}):
    """Only what is sent is changed; when two people change a field at once, the later one stays."""

    title: Title | None = None
    description: LongText | None = None
    status: TaskStatus | None = None
    owner_id: UUID | None = None
    team_id: UUID | None = Field(None, description="`null`: no team.")
    deadline_at: Deadline | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        empty = [name for name in sorted(self.model_fields_set) if getattr(self, name) is None]
        if empty and empty != ["team_id"]:
            raise ValueError(f"{', '.join(name for name in empty if name != 'team_id')} must not be null")
        return self
