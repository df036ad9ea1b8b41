"""The outbox is looked through channel by channel, in the order in which messages may leave."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_messages_outbox", "messages")
    op.create_index(
        "ix_messages_outbox",
        "messages",
        ["channel_id", sa.text("greatest(send_after, next_attempt_at)")],
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_messages_sending",
        "messages",
        ["next_attempt_at"],
        postgresql_where=sa.text("status = 'sending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_messages_sending", "messages")
    op.drop_index("ix_messages_outbox", "messages")
    op.create_index(
        "ix_messages_outbox",
        "messages",
        ["send_after", "seq"],
        postgresql_where=sa.text("status in ('queued', 'sending')"),
    )
