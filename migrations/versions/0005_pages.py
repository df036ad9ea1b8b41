"""Lists read by pages: a dialog's place in them, indexes in that order; customers found by parts of words."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0006"
branch_labels = None
depends_on = None

_SINCE_2000 = "(extract(epoch from {} - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint"
_BY_TIME = f"9000000000000000 - {_SINCE_2000.format('last_message_at')}"
_BY_WAIT = f"coalesce({_SINCE_2000.format('waiting_since')}, {_BY_TIME})"
_PLACE = f"case when status = 'open' then {_BY_WAIT} else {_BY_TIME} end"
_CUSTOMER = (
    "lower(' ' || name || ' ' || email || ' ' || phone || ' ' || regexp_replace(phone, '[^0-9]', '', 'g'))"
)
_IDENTITY = "lower(' ' || username || ' ' || external_id)"


def upgrade() -> None:
    op.execute("create extension if not exists pg_trgm")
    for name in ("assignee", "team", "unassigned", "recent"):
        op.drop_index(f"ix_dialogs_{name}", table_name="dialogs")
    op.execute("alter table dialogs set (fillfactor = 85)")
    op.add_column(
        "dialogs",
        sa.Column("place", sa.BigInteger(), sa.Computed(_PLACE, persisted=True), nullable=False),
    )
    place = ["status", "place", "id"]
    op.create_index("ix_dialogs_status", "dialogs", place)
    op.create_index("ix_dialogs_assignee", "dialogs", ["assignee_id", *place])
    op.create_index("ix_dialogs_team", "dialogs", ["team_id", *place])
    op.create_index(
        "ix_dialogs_unassigned",
        "dialogs",
        [sa.text("coalesce(team_id, channel_id)"), *place],
        postgresql_where=sa.text("assignee_id is null"),
    )
    # Most of what is closed has an assignee: without this the planner expects as few among what is open.
    op.execute("create statistics dialogs_assigned (mcv) on status, assignee_id from dialogs")
    for table, words in (("customers", _CUSTOMER), ("identities", _IDENTITY)):
        op.add_column(
            table, sa.Column("words", sa.Text(), sa.Computed(words, persisted=True), nullable=False)
        )
        op.create_index(
            f"ix_{table}_words",
            table,
            ["words"],
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
        )
    op.create_index("ix_customers_name", "customers", ["name", "id"])
    # All that a list shows of a customer, so that it need not look into the table.
    op.create_index("ix_customers_shown", "customers", ["id"], postgresql_include=["name", "avatar_key"])


def downgrade() -> None:
    op.drop_index("ix_customers_shown", table_name="customers")
    op.drop_index("ix_customers_name", table_name="customers")
    for table in ("customers", "identities"):
        op.drop_index(f"ix_{table}_words", table_name=table, postgresql_using="gin")
        op.drop_column(table, "words")
    for name in ("status", "assignee", "team", "unassigned"):
        op.drop_index(f"ix_dialogs_{name}", table_name="dialogs")
    op.execute("drop statistics dialogs_assigned")
    op.drop_column("dialogs", "place")
    op.execute("alter table dialogs reset (fillfactor)")
    unclosed = sa.text("status <> 'closed'")
    op.create_index("ix_dialogs_recent", "dialogs", ["last_message_at", "id"])
    for name in ("assignee", "team"):
        op.create_index(
            f"ix_dialogs_{name}", "dialogs", [f"{name}_id", "last_message_at"], postgresql_where=unclosed
        )
    op.create_index(
        "ix_dialogs_unassigned",
        "dialogs",
        ["channel_id", "last_message_at"],
        postgresql_where=sa.text("status <> 'closed' and assignee_id is null and team_id is null"),
    )
