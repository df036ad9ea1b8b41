"""Messages, raw events and the log by month; the keys by which repeats are known, apart.

Whatever is there is copied once, within this migration: reckon with twice the disk for its time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0004"
branch_labels = None
depends_on = None

MONTH_OF = {
    "messages": "date_trunc('month', uuid_extract_timestamp(id), 'UTC')",
    "inbound": "date_trunc('month', received_at, 'UTC')",
    "facts": "date_trunc('month', at, 'UTC')",
}
PARTITION_KEY = {"messages": "id", "inbound": "received_at", "facts": "at"}
SEQUENCE = {"messages": "seq", "inbound": "id", "facts": "id"}

MESSAGE_PARENTS = {
    "author_id": "agents",
    "channel_id": "channels",
    "customer_id": "customers",
    "dialog_id": "dialogs",
    "identity_id": "identities",
}
MESSAGE_DEPENDANTS = ("attachments", "message_aliases", "message_versions", "task_messages")

ASIDE = """
do $$
declare found record;
begin
    for found in select indexrelid::regclass as name from pg_index where indrelid = '{table}'::regclass loop
        execute format('alter index %s rename to %I', found.name, 'old_' || found.name);
    end loop;
    execute format('alter sequence %s rename to old_{table}_seq',
                   pg_get_serial_sequence('{table}', '{column}'));
    alter table {table} rename to old_{table};
end $$
"""

# From the first millisecond of a month to that of the next; the id of a message begins with its time.
BOUND_OF_ID = "rpad(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0'), 32, '0')::uuid"
MONTHS = """
do $$
declare month timestamptz;
declare made constant text := 'create table %I partition of {table} for values from (%L) to (%L)';
begin
    for month in
        select distinct {month_of} from old_{table} where {month_of} is not null
        union
        select date_trunc('month', now(), 'UTC') + n * interval '1 month' from generate_series(0, 3) n
    loop
        execute format(made, '{table}_' || to_char(month at time zone 'UTC', 'YYYY_MM'), {start}, {stop});
    end loop;
end $$
"""


def upgrade() -> None:
    op.execute("set local timezone = 'UTC'")
    op.drop_constraint("fk_messages_reply_to_id", "messages")
    for table in MESSAGE_DEPENDANTS:
        op.drop_constraint(f"fk_{table}_message_id", table)
    for table in PARTITION_KEY:
        _by_month(table)
    _index_messages()
    _index_inbound()
    _index_facts()
    _keys_apart()
    for table in PARTITION_KEY:
        op.execute(f"drop table old_{table}")


def _by_month(table: str) -> None:
    """Replace a table by a partitioned one with the same rows; indexes come when they are in."""
    op.execute(ASIDE.format(table=table, column=SEQUENCE[table]))
    like = f"like old_{table} including defaults including constraints including identity"
    op.execute(f"create table {table} ({like}) partition by range ({PARTITION_KEY[table]})")
    op.execute(f"create table {table}_default partition of {table} default")
    start, stop = "month", "month + interval '1 month'"
    if table == "messages":
        start, stop = BOUND_OF_ID.format(at=start), BOUND_OF_ID.format(at=stop)
    op.execute(MONTHS.format(table=table, month_of=MONTH_OF[table], start=start, stop=stop))
    _refill(table)


def _refill(table: str) -> None:
    """The old table's rows, and its numbers go on."""
    op.execute(f"insert into {table} overriding system value select * from old_{table}")  # noqa: S608
    op.execute(
        f"select setval(pg_get_serial_sequence('{table}', '{SEQUENCE[table]}'), last_value, is_called)"  # noqa: S608
        f" from old_{table}_seq"
    )


def _index_messages() -> None:
    op.create_primary_key("pk_messages", "messages", ["id"])
    _point_to_parents()
    op.create_index("ix_messages_thread", "messages", ["customer_id", "seq"])
    op.create_index("ix_messages_dialog", "messages", ["dialog_id", "seq"])
    op.create_index("ix_messages_chat", "messages", ["channel_id", "chat", "seq"])
    _index_words()
    _index_outbox()


def _index_words() -> None:
    op.create_index(
        "ix_messages_words",
        "messages",
        [sa.text("to_tsvector('russian', translate(text, 'ёЁ-/+<', 'ее    '))")],
        postgresql_using="gin",
        postgresql_where=sa.text("direction <> 'system'"),
    )


def _point_to_parents() -> None:
    for column, parent in MESSAGE_PARENTS.items():
        op.create_foreign_key(f"fk_messages_{column}", "messages", parent, [column], ["id"])


def _index_outbox() -> None:
    due: list[str | sa.TextClause] = ["channel_id", sa.text("greatest(send_after, next_attempt_at)")]
    queued, sending = sa.text("status = 'queued'"), sa.text("status = 'sending'")
    unsent = sa.text("status in ('queued', 'sending')")
    op.create_index("ix_messages_outbox", "messages", due, postgresql_where=queued)
    op.create_index("ix_messages_sending", "messages", ["next_attempt_at"], postgresql_where=sending)
    op.create_index(
        "ix_messages_unsent", "messages", ["dialog_id", "send_after", "seq"], postgresql_where=unsent
    )


def _index_inbound() -> None:
    op.create_primary_key("pk_inbound", "inbound", ["id", "received_at"])
    _index_queue()


def _index_queue() -> None:
    op.create_foreign_key(
        "fk_inbound_channel_id", "inbound", "channels", ["channel_id"], ["id"], ondelete="CASCADE"
    )
    new, bad = sa.text("state = 'new'"), sa.text("state = 'quarantined'")
    op.create_index("ix_inbound_new", "inbound", ["channel_id", "lane", "id"], postgresql_where=new)
    op.create_index("ix_inbound_queue", "inbound", ["id"], postgresql_where=new)
    op.create_index("ix_inbound_bad", "inbound", ["id"], postgresql_where=bad)


def _index_facts() -> None:
    op.create_primary_key("pk_facts", "facts", ["id", "at"])
    _index_log()


def _index_log() -> None:
    op.create_index("ix_facts_order", "facts", ["xid", "id"])
    for name in ("dialog", "task"):
        known = sa.text(f"{name}_id is not null")
        op.create_index(f"ix_facts_{name}", "facts", [f"{name}_id", "id"], postgresql_where=known)


def _keys_apart() -> None:
    op.execute(
        "create table message_keys (channel_id uuid not null, chat text not null, external_id text not null,"
        " message_id uuid not null)"
    )
    op.execute(
        "insert into message_keys select channel_id, chat, external_id, id from old_messages"
        " where channel_id is not null and chat is not null and external_id is not null"
    )
    op.create_primary_key("pk_message_keys", "message_keys", ["channel_id", "chat", "external_id"])
    op.execute(
        "create table client_keys"
        " (author_id uuid not null, client_key text not null, message_id uuid not null)"
    )
    op.execute(
        "insert into client_keys select author_id, client_key, id from old_messages"
        " where author_id is not null and client_key is not null"
    )
    op.create_primary_key("pk_client_keys", "client_keys", ["author_id", "client_key"])
    op.execute(
        "create table inbound_keys (channel_id uuid not null, key text not null, inbound_id bigint not null,"
        " received_at timestamptz not null default now())"
    )
    op.execute("insert into inbound_keys select channel_id, key, id, received_at from old_inbound")
    op.create_primary_key("pk_inbound_keys", "inbound_keys", ["channel_id", "key"])
    op.create_index("ix_inbound_keys_received_at", "inbound_keys", ["received_at"])


def downgrade() -> None:
    for table in ("message_keys", "client_keys", "inbound_keys"):
        op.drop_table(table)
    for table in PARTITION_KEY:
        _in_one(table)
    op.create_primary_key("pk_messages", "messages", ["id"])
    op.create_unique_constraint("uq_messages_seq", "messages", ["seq"])
    _point_to_parents()
    op.create_foreign_key("fk_messages_reply_to_id", "messages", "messages", ["reply_to_id"], ["id"])
    for table in MESSAGE_DEPENDANTS:
        name = f"fk_{table}_message_id"
        op.create_foreign_key(name, table, "messages", ["message_id"], ["id"], ondelete="CASCADE")
    op.create_index("ix_messages_thread", "messages", ["customer_id", "seq"])
    op.create_index("ix_messages_dialog", "messages", ["dialog_id", "seq"])
    _index_words()
    _index_outbox()
    op.create_index("uq_messages_external", "messages", ["channel_id", "chat", "external_id"], unique=True)
    op.create_index("uq_messages_client_key", "messages", ["author_id", "client_key"], unique=True)
    op.create_primary_key("pk_inbound", "inbound", ["id"])
    op.create_unique_constraint("uq_inbound_channel_id", "inbound", ["channel_id", "key"])
    _index_queue()
    op.create_primary_key("pk_facts", "facts", ["id"])
    _index_log()
    for table in PARTITION_KEY:
        op.execute(f"drop table old_{table}")


def _in_one(table: str) -> None:
    op.execute(ASIDE.format(table=table, column=SEQUENCE[table]))
    like = f"like old_{table} including defaults including constraints including identity"
    op.execute(f"create table {table} ({like})")
    _refill(table)
