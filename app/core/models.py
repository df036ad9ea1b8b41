"""Tables of the core: the log of facts, this installation, signs of life, answers kept for idempotency."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.core.schema import Base, created


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Fact(Base):
    """One immutable fact: who did what to what, when. Ids and small values, never text or names."""

    __tablename__ = "facts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"), nullable=False)
    at: Mapped[created] = mapped_column(primary_key=True)
    """Says in which month's partition it lies."""
    type: Mapped[str]
    actor_kind: Mapped[str]
    """`agent`, `customer` or `system`."""
    actor_id: Mapped[UUID | None]
    customer_id: Mapped[UUID | None]
    dialog_id: Mapped[UUID | None]
    message_id: Mapped[UUID | None]
    task_id: Mapped[UUID | None]
    channel_id: Mapped[UUID | None]
    agent_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (
        Index("ix_facts_order", "xid", "id"),
        Index("ix_facts_dialog", "dialog_id", "id", postgresql_where=text("dialog_id is not null")),
        Index("ix_facts_task", "task_id", "id", postgresql_where=text("task_id is not null")),
        {"postgresql_partition_by": "RANGE (at)"},
    )


class Installation(Base):
    """The one row about this installation; `epoch` changes when a backup is restored."""

    __tablename__ = "installation"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    epoch: Mapped[UUID] = mapped_column(server_default=text("uuidv7()"))
    created_at: Mapped[created]
    facts_floor_xid: Mapped[int] = mapped_column(server_default=text("0"))
    """With `facts_floor_id`: the last fact that was forgotten; no cursor before it can be continued."""
    facts_floor_id: Mapped[int] = mapped_column(server_default=text("0"))


class Heartbeat(Base):
    """A process with loops that was alive at `seen_at`; `detail` says how its loops were."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[created]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class IdempotentAnswer(Base):
    """The first answer to a request with an `Idempotency-Key`, given again to its repeats."""

    __tablename__ = "idempotent_answers"

    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[created]
