"""Heartbeats of the loops, the forgotten part of the log, channels that are still to be started."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    for column in ("facts_floor_xid", "facts_floor_id"):
        op.add_column(
            "installation", sa.Column(column, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        )
    op.add_column("channels", sa.Column("start_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "channels", sa.Column("start_attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index(
        "ix_identities_unknown",
        "identities",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("profiled_at is null and kind in ('telegram', 'vk')"),
    )


def downgrade() -> None:
    op.drop_index("ix_identities_unknown", table_name="identities")
    op.drop_column("channels", "start_attempts")
    op.drop_column("channels", "start_due_at")
    op.drop_column("installation", "facts_floor_id")
    op.drop_column("installation", "facts_floor_xid")
    op.drop_table("heartbeats")
