"""Customers who may be one are found by phone, mail, name and user name; who is not is remembered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = (
    ("phone", "customers", "\"right\"(regexp_replace(phone, '[^0-9]', '', 'g'), 9)", "phone <> ''"),
    ("email", "customers", "lower(email)", "email <> ''"),
    ("name", "customers", "lower(name)", "name like '% %'"),
    ("username", "identities", "lower(username)", "username <> ''"),
)


def upgrade() -> None:
    for name, table, expression, where in _INDEXES:
        op.create_index(
            f"ix_{table}_same_{name}", table, [sa.text(expression)], postgresql_where=sa.text(where)
        )
    op.create_table(
        "strangers",
        sa.Column("one_id", UUID(), nullable=False),
        sa.Column("other_id", UUID(), nullable=False),
        sa.Column("created_by", UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("one_id", "other_id", name="pk_strangers"),
        sa.ForeignKeyConstraint(["one_id"], ["customers.id"], name="fk_strangers_one_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["other_id"], ["customers.id"], name="fk_strangers_other_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_strangers_other_id", "strangers", ["other_id"])


def downgrade() -> None:
    op.drop_table("strangers")
    for name, table, _expression, _where in _INDEXES:
        op.drop_index(f"ix_{table}_same_{name}", table_name=table)
