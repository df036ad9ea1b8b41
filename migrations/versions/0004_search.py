"""Who answered first; the indexes of the search and of the report on first answers.

The words of all messages are indexed here: about a minute for some million messages, in which nobody can
write. docs/operations/running.md says how to build that index beforehand; one that is there is left alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0005"
branch_labels = None
depends_on = None

WORDS = "to_tsvector('russian', translate(text, 'ёЁ-/+<', 'ее    '))"

ANSWERED_BY = """
update dialogs d
set first_response_by = (
    select m.author_id from messages m
    where m.dialog_id = d.id and m.direction = 'out'
    order by m.seq limit 1
)
where d.first_response_at is not null and d.inbound_count > 0
"""


def upgrade() -> None:
    op.add_column("dialogs", sa.Column("first_response_by", sa.UUID(), nullable=True))
    op.execute(ANSWERED_BY)
    op.create_index(
        "ix_dialogs_first_response",
        "dialogs",
        ["created_at"],
        postgresql_include=["first_response_at", "first_response_by", "channel_id", "team_id"],
        postgresql_where=sa.text("first_response_by is not null"),
    )
    op.create_index(
        "ix_messages_words",
        "messages",
        [sa.text(WORDS)],
        postgresql_using="gin",
        postgresql_where=sa.text("direction <> 'system'"),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_words", table_name="messages")
    op.drop_index("ix_dialogs_first_response", table_name="dialogs")
    op.drop_column("dialogs", "first_response_by")
