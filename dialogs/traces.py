"""The way of a message, from the request that brought it to the facts the consoles were told.

For an operator who has one id of it. Bounded: the newest raw events are searched for a request's id,
everything else is found by an index.
"""

from typing import Any
from uuid import UUID

from app.core.db import RawConnection, RawPool

NEWEST = 200_000

_EVENT = """
select i.id, i.channel_id, c.kind, i.key, i.trace, i.state, i.error, i.attempts, i.received_at, i.done_at
from inbound i join channels c on c.id = i.channel_id
"""
_EVENT_BY_ID = f"{_EVENT} where i.id = $1"
_EVENTS_BY_KEY = f"""
{_EVENT} where i.id in (
    select k.inbound_id from channels o join inbound_keys k on k.channel_id = o.id and k.key = $1)
"""  # noqa: S608
_EVENTS_BY_TRACE = f"""
{_EVENT} where i.trace = $1 and i.id > (select max(id) from inbound) - {NEWEST}
order by i.id limit 100
"""  # noqa: S608

_MESSAGE = """
select id, direction, status, inbound_id, meta ->> 'trace' as trace, dialog_id, created_at, sent_at,
       external_id
from messages
"""
_MESSAGE_BY_ID = f"{_MESSAGE} where id = $1"
_BOUND = "rpad(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0'), 32, '0')::uuid"
_FROM = _BOUND.format(at="$2::timestamptz - interval '5 s'")
_TO = _BOUND.format(at="$2::timestamptz + interval '70 s'")
# The id begins with the time, and a message is made in the transaction that settles its event.
_MESSAGES_OF_EVENT = f"{_MESSAGE} where id >= {_FROM} and id < {_TO} and inbound_id = $1 order by id"
_FACTS = """
select xid::text as xid, id, type, at, data::text as data from facts
where dialog_id = $1 and message_id = $2 order by id limit 100
"""

Way = dict[str, list[dict[str, Any]]]


async def find(connection: RawConnection | RawPool, word: str) -> Way:
    """`events`, `messages` and `facts` of a message's id, a raw event's number or key, or a request's id."""
    message_id = _uuid(word)
    found = await connection.fetchrow(_MESSAGE_BY_ID, message_id) if message_id else None
    if found is not None:
        events = await connection.fetch(_EVENT_BY_ID, found["inbound_id"]) if found["inbound_id"] else []
        messages = [found]
    else:
        events = await _events(connection, word)
        messages = [
            message
            for event in events
            if event["done_at"] is not None
            for message in await connection.fetch(_MESSAGES_OF_EVENT, event["id"], event["done_at"])
        ]
    facts = [
        fact
        for message in messages
        for fact in await connection.fetch(_FACTS, message["dialog_id"], message["id"])
    ]
    rows = {"events": events, "messages": messages, "facts": facts}
    return {name: [dict(row) for row in part] for name, part in rows.items()}


async def _events(connection: RawConnection | RawPool, word: str) -> list[Any]:
    if word.isdecimal() and int(word) < 2**63:
        event = await connection.fetchrow(_EVENT_BY_ID, int(word))
        if event is not None:
            return [event]
    by_key: list[Any] = await connection.fetch(_EVENTS_BY_KEY, word)
    return by_key or await connection.fetch(_EVENTS_BY_TRACE, word)


def _uuid(word: str) -> UUID | None:
    try:
        return UUID(word)
    except ValueError:
        return None
