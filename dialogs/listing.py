"""What the database computes so that lists are read in order and people are found: columns and indexes."""

from sqlalchemy import Index
from sqlalchemy import text as sql

# Microseconds since 2000. Who waits longest comes first; after all of those, the newest message does.
_MICROSECONDS = "(extract(epoch from {} - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint"
PLACE_BY_TIME = f"9000000000000000 - {_MICROSECONDS.format('last_message_at')}"
PLACE_BY_WAIT = f"coalesce({_MICROSECONDS.format('waiting_since')}, {PLACE_BY_TIME})"
PLACE = f"case when status = 'open' then {PLACE_BY_WAIT} else {PLACE_BY_TIME} end"

_DIGITS = "regexp_replace(phone, '[^0-9]', '', 'g')"
CUSTOMER_WORDS = f"lower(' ' || name || ' ' || email || ' ' || phone || ' ' || {_DIGITS})"
IDENTITY_WORDS = "lower(' ' || username || ' ' || external_id)"
MESSAGE_WORDS = "to_tsvector('russian', translate(text, 'ёЁ-/+<', 'ее    '))"
"""Stems of Russian and English words; a number after a sign is a word of its own."""


def dialog_lists() -> list[Index]:
    """One for each ground on which dialogs are seen (`access.grounds`), in the order of a list; and others.

    They hold all statuses: a message changes as many of them as it has to, and `place` stays as it is
    while a customer who waits writes again.
    """
    order = ("status", "place", "id")
    return [
        Index("ix_dialogs_status", *order),
        Index("ix_dialogs_assignee", "assignee_id", *order),
        Index("ix_dialogs_team", "team_id", *order),
        Index(
            "ix_dialogs_unassigned",
            sql("coalesce(team_id, channel_id)"),
            *order,
            postgresql_where=sql("assignee_id is null"),
        ),
        Index("ix_dialogs_customer", "customer_id", "number"),
        Index("ix_dialogs_snoozed", "snoozed_until", postgresql_where=sql("status = 'snoozed'")),
        Index(
            "ix_dialogs_first_response",
            "created_at",
            postgresql_include=["first_response_at", "first_response_by", "channel_id", "team_id"],
            postgresql_where=sql("first_response_by is not null"),
        ),
    ]


def message_words() -> Index:
    """By the words of a text; lines of the system are not looked for."""
    return Index(
        "ix_messages_words",
        sql(MESSAGE_WORDS),
        postgresql_using="gin",
        postgresql_where=sql("direction <> 'system'"),
    )


PHONE_END = "\"right\"(regexp_replace(phone, '[^0-9]', '', 'g'), 9)"
"""What numbers have in common that are written with a country's code, with 8, or without either."""


def same_people() -> list[Index]:
    """By what two customers may be one."""
    return [
        Index("ix_customers_same_phone", sql(PHONE_END), postgresql_where=sql("phone <> ''")),
        Index("ix_customers_same_email", sql("lower(email)"), postgresql_where=sql("email <> ''")),
        Index("ix_customers_same_name", sql("lower(name)"), postgresql_where=sql("name like '% %'")),
    ]


def customer_lists() -> tuple[Index, ...]:
    """By name, by parts of words, what a list of dialogs shows of a customer, and those merged into one."""
    return (
        Index("ix_customers_name", "name", "id"),
        Index("ix_customers_shown", "id", postgresql_include=["name", "avatar_key"]),
        Index("ix_customers_merged", "merged_into_id", postgresql_where=sql("merged_into_id is not null")),
        found_by_part("customers"),
        *same_people(),
    )


def found_by_part(table: str) -> Index:
    """By any three letters that follow each other in `words`."""
    return Index(
        f"ix_{table}_words", "words", postgresql_using="gin", postgresql_ops={"words": "gin_trgm_ops"}
    )
