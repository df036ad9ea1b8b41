"""What is known of who is who: merges of customers, who is not the same, and one-time deep links."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base, created, uid


class Merge(Base):
    """One customer was found to be another; stands until it is undone. The history stays."""

    __tablename__ = "merges"

    id: Mapped[uid]
    kept_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    merged_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    created_by: Mapped[UUID | None]
    """Null: proven, by a link or a platform's word."""
    created_at: Mapped[created]
    undone_by: Mapped[UUID | None]
    undone_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_merges_standing", "merged_id", unique=True, postgresql_where=sql("undone_at is null")),
    )


class Strangers(Base):
    """Two customers who are not the same person, whatever speaks for it. The smaller id first."""

    __tablename__ = "strangers"

    one_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[UUID] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_by: Mapped[UUID | None]
    created_at: Mapped[created]


class LinkToken(Base):
    """A one-time deep link that joins a new identity to a known customer; kept as a hash only."""

    __tablename__ = "link_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    created_by: Mapped[UUID | None]
    created_at: Mapped[created]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
