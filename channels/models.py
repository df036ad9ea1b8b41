"""Connected channels, their cursors and leases, and the raw events they brought."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base, created, one_of, uid

STATES = ("active", "paused", "stopped")
INBOUND_STATES = ("new", "done", "ignored", "quarantined")


class Channel(Base):
    """One connected account. `stopped`: the platform refused our credentials, see `error`."""

    __tablename__ = "channels"

    id: Mapped[uid]
    kind: Mapped[str]
    name: Mapped[str]
    external_id: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="active")
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    secrets: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed JSON: the adapter's secret settings and our webhook secret."""
    info: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """What the last check learned (`AccountInfo.facts`, title)."""
    webhook_key: Mapped[str] = mapped_column(unique=True)
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    error_at: Mapped[datetime | None]
    frozen_until: Mapped[datetime | None]
    """Nothing is sent before: the platform asked the whole channel to pause."""
    seen_at: Mapped[datetime | None]
    """Last successful contact with the platform."""
    start_due_at: Mapped[datetime | None]
    """The transport is still to be prepared (a webhook set or removed), not before this."""
    start_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[created]

    __table_args__ = (
        UniqueConstraint("kind", "external_id"),
        CheckConstraint(one_of("state", STATES), name="state"),
    )


class ChannelTeam(Base):
    """Which teams serve a channel: their members see its unassigned dialogs."""

    __tablename__ = "channel_teams"

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    team_id: Mapped[UUID] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class ChannelCursor(Base):
    """How far a pull loop has come, and which process may move it (lease with a fencing number)."""

    __tablename__ = "channel_cursors"

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    holder: Mapped[str | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    held_until: Mapped[datetime | None]


class Inbound(Base):
    """A raw event as the platform sent it; stored before anybody tries to understand it."""

    __tablename__ = "inbound"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    received_at: Mapped[created] = mapped_column(primary_key=True)
    """Says in which month's partition it lies."""
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    key: Mapped[str]
    lane: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    trace: Mapped[str | None]
    """The request that brought it, as the log names it (`request_id`); none when it was pulled."""
    state: Mapped[str] = mapped_column(server_default="new")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[created]
    error: Mapped[str | None]
    done_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("state", INBOUND_STATES), name="state"),
        Index("ix_inbound_new", "channel_id", "lane", "id", postgresql_where=text("state = 'new'")),
        Index("ix_inbound_queue", "id", postgresql_where=text("state = 'new'")),
        Index("ix_inbound_bad", "id", postgresql_where=text("state = 'quarantined'")),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )


class InboundKey(Base):
    """The platform's id of a raw event, by which a repeat is known whatever month the first one came in."""

    __tablename__ = "inbound_keys"

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    inbound_id: Mapped[int]
    received_at: Mapped[created] = mapped_column(index=True)
