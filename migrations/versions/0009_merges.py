"""Customers can be merged, and merges undone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("customers", sa.Column("merged_into_id", UUID(), nullable=True))
    op.create_foreign_key("fk_customers_merged_into_id", "customers", "customers", ["merged_into_id"], ["id"])
    op.create_index(
        "ix_customers_merged",
        "customers",
        ["merged_into_id"],
        postgresql_where=sa.text("merged_into_id is not null"),
    )
    op.add_column(
        "customers", sa.Column("borrowed", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column("identities", sa.Column("origin_id", UUID(), nullable=True))
    op.add_column("dialogs", sa.Column("origin_id", UUID(), nullable=True))
    op.add_column("dialogs", sa.Column("apart", JSONB(), nullable=True))
    op.create_table(
        "merges",
        sa.Column("id", UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("kept_id", UUID(), nullable=False),
        sa.Column("merged_id", UUID(), nullable=False),
        sa.Column("created_by", UUID(), nullable=True),
        sa.Column("created_at", _AT, server_default=sa.text("now()"), nullable=False),
        sa.Column("undone_by", UUID(), nullable=True),
        sa.Column("undone_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_merges"),
        sa.ForeignKeyConstraint(["kept_id"], ["customers.id"], name="fk_merges_kept_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["merged_id"], ["customers.id"], name="fk_merges_merged_id", ondelete="CASCADE"
        ),
    )
    for column in ("kept_id", "merged_id"):
        op.create_index(f"ix_merges_{column}", "merges", [column])
    op.create_index(
        "uq_merges_standing",
        "merges",
        ["merged_id"],
        unique=True,
        postgresql_where=sa.text("undone_at is null"),
    )


def downgrade() -> None:
    op.drop_table("merges")
    op.drop_column("dialogs", "apart")
    op.drop_column("dialogs", "origin_id")
    op.drop_column("identities", "origin_id")
    op.drop_column("customers", "borrowed")
    op.drop_index("ix_customers_merged", table_name="customers")
    op.drop_constraint("fk_customers_merged_into_id", "customers")
    op.drop_column("customers", "merged_into_id")
