"""What is done on a platform beside sending, and what it leaves: changes, deletions, reactions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column(
        "messages", sa.Column("reactions", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb"))
    )
    op.create_table(
        "acts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel_id", UUID, nullable=False),
        sa.Column("message_id", UUID, nullable=False),
        sa.Column("agent_id", UUID),
        sa.Column("body", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("state", sa.Text(), nullable=False, server_default="queued"),
        sa.Column("attempts", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column(
            "next_attempt_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")
        ),
        sa.Column("error", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.CheckConstraint(
            "kind in ('edit', 'delete', 'react', 'read', 'acknowledge')", name=op.f("ck_acts_kind")
        ),
        sa.CheckConstraint("state in ('queued', 'failed')", name=op.f("ck_acts_state")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_acts_channel_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_acts_message_id", "acts", ["message_id"])
    op.create_index("ix_acts_due", "acts", ["next_attempt_at"], postgresql_where=sa.text("state = 'queued'"))


def downgrade() -> None:
    op.drop_table("acts")
    op.drop_column("messages", "reactions")
    op.drop_column("messages", "deleted_at")
