"""What the API says in reports."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class FirstResponses(BaseModel):
    """How fast dialogs were answered, from their beginning to the first answer, in seconds."""

    answered: int = Field(description="Dialogs.")
    average: float | None
    median: float | None
    p90: float | None = Field(description="Nine of ten were answered faster.")


class AgentFirstResponses(FirstResponses):
    agent_id: UUID
    name: str


class FirstResponseReport(BaseModel):
    """First answers by who gave them, most dialogs first, and all of them together."""

    starts_at: datetime
    ends_at: datetime
    agents: list[AgentFirstResponses]
    total: FirstResponses
