"""Customers, identities, dialogs, messages and their attachments.

The rules live here: one identity per person and platform, at most one dialog that is not closed
per customer, one message per platform id, one message per client key.

Messages lie in months by their ids (`app.core.partitions`). No foreign key leads to them: a month could
not be dropped without looking through all that refers to it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Sequence,
    UniqueConstraint,
)
from sqlalchemy import Identity as Sequenced
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base, created, one_of, uid
from dialogs import listing

DIALOG_STATUSES = ("open", "snoozed", "closed")
DIRECTIONS = ("in", "out", "note", "system")
MESSAGE_STATUSES = ("queued", "sending", "sent", "delivered", "read", "failed", "unknown", "cancelled")
FILE_STATES = ("pending", "stored", "unavailable")

dialog_numbers = Sequence("dialog_numbers", metadata=Base.metadata)


class Customer(Base):
    """A person we talk with: the root record."""

    __tablename__ = "customers"

    id: Mapped[uid]
    name: Mapped[str] = mapped_column(server_default="")
    phone: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")
    about: Mapped[str] = mapped_column(server_default="")
    locale: Mapped[str] = mapped_column(server_default="")
    avatar_key: Mapped[str | None]
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    """Whose he is for as long as merges stand (`dialogs.merging`); never one who is merged himself."""
    borrowed: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    """Fields that were empty and show what a merged customer's say."""
    created_at: Mapped[created]
    words: Mapped[str] = mapped_column(Computed(listing.CUSTOMER_WORDS, persisted=True), deferred=True)
    """What he is found by."""

    __table_args__ = listing.customer_lists()


class Identity(Base):
    """That person on a platform. `scope` is the platform, or the channel's id for local ids."""

    __tablename__ = "identities"

    id: Mapped[uid]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    scope: Mapped[str]
    external_id: Mapped[str]
    kind: Mapped[str]
    """Kind of the channel it came by."""
    name: Mapped[str] = mapped_column(server_default="")
    username: Mapped[str] = mapped_column(server_default="")
    reachable: Mapped[bool] = mapped_column(server_default=sql("true"))
    origin_id: Mapped[UUID | None]
    """Whose it is when no merge stands; null: `customer_id`. No foreign key: nobody looks from there."""
    profiled_at: Mapped[datetime | None]
    """When name and avatar were asked from the platform."""
    created_at: Mapped[created]
    words: Mapped[str] = mapped_column(Computed(listing.IDENTITY_WORDS, persisted=True), deferred=True)

    __table_args__ = (
        UniqueConstraint("scope", "external_id"),
        listing.found_by_part("identities"),
        Index("ix_identities_same_username", sql("lower(username)"), postgresql_where=sql("username <> ''")),
        Index(
            "ix_identities_unknown",
            "created_at",
            postgresql_where=sql("profiled_at is null and kind in ('telegram', 'vk')"),
        ),
    )


class Dialog(Base):
    """One handling of a customer's matter, over any of his channels."""

    __tablename__ = "dialogs"

    id: Mapped[uid]
    number: Mapped[int] = mapped_column(
        dialog_numbers, server_default=dialog_numbers.next_value(), unique=True
    )
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"))
    """Channel of the customer's last message."""
    status: Mapped[str] = mapped_column(server_default="open")
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("teams.id"))
    snoozed_until: Mapped[datetime | None]
    """With status `snoozed`; null: until the customer writes."""
    waiting_since: Mapped[datetime | None]
    """First message of the customer that nobody answered."""
    first_response_at: Mapped[datetime | None]
    first_response_by: Mapped[UUID | None]
    """Null where we wrote first, or where the answer was written in the platform's own interface."""
    last_message_id: Mapped[UUID | None]
    last_message_at: Mapped[created]
    last_direction: Mapped[str] = mapped_column(server_default="in")
    last_author_id: Mapped[UUID | None]
    preview: Mapped[str] = mapped_column(server_default="")
    """Beginning of the last message that is not a system line."""
    inbound_count: Mapped[int] = mapped_column(server_default=sql("0"))
    created_at: Mapped[created]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]
    task_count: Mapped[int] = mapped_column(server_default=sql("0"))
    """Unfinished tasks linked to it; kept by `tasks`."""
    next_deadline_at: Mapped[datetime | None]
    origin_id: Mapped[UUID | None]
    """Whose it is when no merge stands; null: `customer_id`."""
    apart: Mapped[dict[str, Any] | None]
    """How it stands while its customer has another one open, and without that: see `dialogs.standing`."""
    place: Mapped[int] = mapped_column(BigInteger, Computed(listing.PLACE, persisted=True), deferred=True)
    """Where it stands among those of its status."""

    __table_args__ = (
        CheckConstraint(one_of("status", DIALOG_STATUSES), name="status"),
        Index("uq_dialogs_open", "customer_id", unique=True, postgresql_where=sql("status <> 'closed'")),
        *listing.dialog_lists(),
        # Room for the next versions of a row on its page: a message that does not move the dialog in the
        # lists touches no index then.
        {"postgresql_with": {"fillfactor": 85}},
    )


class DialogGuest(Base):
    """An agent who sees a dialog because of work that is linked to it (`cause_id`: the task)."""

    __tablename__ = "dialog_guests"

    dialog_id: Mapped[UUID] = mapped_column(ForeignKey("dialogs.id", ondelete="CASCADE"), primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    cause_id: Mapped[UUID] = mapped_column(primary_key=True)


class DialogGuestTeam(Base):
    """A team whose members see a dialog because of work that is linked to it (`cause_id`: the task)."""

    __tablename__ = "dialog_guest_teams"

    dialog_id: Mapped[UUID] = mapped_column(ForeignKey("dialogs.id", ondelete="CASCADE"), primary_key=True)
    team_id: Mapped[UUID] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    cause_id: Mapped[UUID] = mapped_column(primary_key=True)


class DialogRead(Base):
    """How many of a dialog's inbound messages an agent has seen; the rest is unread."""

    __tablename__ = "dialog_reads"

    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True)
    dialog_id: Mapped[UUID] = mapped_column(
        ForeignKey("dialogs.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    inbound_count: Mapped[int]


class Message(Base):
    """An entry of the thread. `seq` orders the thread; the outbox lives in the outgoing rows."""

    __tablename__ = "messages"

    id: Mapped[uid]
    seq: Mapped[int] = mapped_column(BigInteger, Sequenced(always=True))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    dialog_id: Mapped[UUID] = mapped_column(ForeignKey("dialogs.id"))
    channel_id: Mapped[UUID | None] = mapped_column(ForeignKey("channels.id"))
    identity_id: Mapped[UUID | None] = mapped_column(ForeignKey("identities.id"))
    direction: Mapped[str]
    text: Mapped[str] = mapped_column(server_default="")
    html: Mapped[str | None]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    chat: Mapped[str | None]
    """The platform's conversation."""
    external_id: Mapped[str | None]
    """The platform's id in that conversation; for ours, the first that the platform gave."""
    reply_to_id: Mapped[UUID | None]
    meta: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'::jsonb"))
    inbound_id: Mapped[int | None]
    """Raw event it came from."""
    created_at: Mapped[created]
    occurred_at: Mapped[datetime | None]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """On the platform; here it stays."""
    reactions: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'::jsonb"))
    """`{"emoji", "by": "customer" | "agent", "id"}` of identities and agents."""
    # outgoing only
    status: Mapped[str | None]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    client_key: Mapped[str | None]
    send_after: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    next_attempt_at: Mapped[datetime | None]
    """Queued: not tried before; sending: taken for abandoned after."""
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(one_of("direction", DIRECTIONS), name="direction"),
        CheckConstraint(one_of("status", MESSAGE_STATUSES), name="status"),
        CheckConstraint("(direction = 'out') = (status is not null)", name="status_of_outgoing"),
        Index("ix_messages_thread", "customer_id", "seq"),
        Index("ix_messages_dialog", "dialog_id", "seq"),
        Index("ix_messages_chat", "channel_id", "chat", "seq"),
        listing.message_words(),
        Index(
            "ix_messages_outbox",
            "channel_id",
            sql("greatest(send_after, next_attempt_at)"),
            postgresql_where=sql("status = 'queued'"),
        ),
        Index("ix_messages_sending", "next_attempt_at", postgresql_where=sql("status = 'sending'")),
        Index(
            "ix_messages_unsent",
            "dialog_id",
            "send_after",
            "seq",
            postgresql_where=sql("status in ('queued', 'sending')"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )


class MessageVersion(Base):
    """What a message said before it was edited."""

    __tablename__ = "message_versions"

    id: Mapped[int] = mapped_column(BigInteger, Sequenced(always=True), primary_key=True)
    message_id: Mapped[UUID] = mapped_column(index=True)
    text: Mapped[str]
    replaced_at: Mapped[created]


class Attachment(Base):
    """A file of a message. `ref` is what the adapter needs to fetch it; an upload has no message yet."""

    __tablename__ = "attachments"

    id: Mapped[uid]
    message_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(server_default=sql("0"))
    uploaded_by: Mapped[UUID | None] = mapped_column(ForeignKey("agents.id"))
    identity_id: Mapped[UUID | None] = mapped_column(ForeignKey("identities.id"))
    """The visitor of a site chat who uploaded it."""
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    mime: Mapped[str] = mapped_column(server_default="application/octet-stream")
    size: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration: Mapped[float | None]
    content_id: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="pending")
    error: Mapped[str | None]
    file_key: Mapped[str | None]
    ref: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    next_attempt_at: Mapped[created]
    created_at: Mapped[created]

    __table_args__ = (
        CheckConstraint(one_of("state", FILE_STATES), name="state"),
        Index("ix_attachments_message", "message_id", "position"),
        Index("ix_attachments_pending", "next_attempt_at", postgresql_where=sql("state = 'pending'")),
    )
