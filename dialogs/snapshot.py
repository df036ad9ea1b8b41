"""Dialogs and messages as they stand, for the feed: one prepared statement each on a raw connection.

The form is that of `dialogs.queries`, which reads the same for REST; the feed reads at every fact and
cannot wait for query objects to be built.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from app.core.db import RawConnection, RawPool
from dialogs import access, queries


@dataclass(frozen=True, slots=True)
class Talk:
    """A dialog: what is shown of it, and who sees it."""

    number: int
    customer_id: UUID
    shown: dict[str, Any]
    audience: frozenset[str]


@dataclass(slots=True)
class Talks:
    """Dialogs of a batch of facts with the later ones of their customers."""

    by_id: dict[UUID, Talk] = field(default_factory=dict)
    by_customer: dict[UUID, list[Talk]] = field(default_factory=dict)

    def audience(self, dialog_id: UUID) -> frozenset[str]:
        """Who sees a dialog."""
        talk = self.by_id.get(dialog_id)
        return talk.audience if talk else frozenset({access.ADMIN})

    def thread(self, dialog_id: UUID) -> frozenset[str]:
        """Who sees a message of it: who sees the dialog, or a later one of the same customer."""
        own = self.by_id.get(dialog_id)
        if own is None:
            return frozenset({access.ADMIN})
        later = [talk for talk in self.by_customer[own.customer_id] if talk.number >= own.number]
        return later[0].audience.union(*(talk.audience for talk in later[1:]))

    def customer(self, customer_id: UUID) -> frozenset[str]:
        """Who sees a customer: who sees one of his dialogs."""
        found = self.by_customer.get(customer_id, ())
        return frozenset({access.ADMIN}).union(*(talk.audience for talk in found))


@cache
def _dialogs_statement() -> str:
    return f"""
with since as (
    select customer_id, min(number) as number
    from (select customer_id, number from dialogs where id = any($1::uuid[])
          union all
          select unnest($2::uuid[]), 0) as wanted
    group by customer_id)
select {", ".join(f"d.{name}" for name in sorted(queries.DIALOG_FIELDS))}, d.customer_id,
       c.name as customer_name, c.avatar_key,
       array(select g.agent_id from dialog_guests g where g.dialog_id = d.id) as guests,
       array(select g.team_id from dialog_guest_teams g where g.dialog_id = d.id) as guest_teams
from since
join dialogs d on d.customer_id = since.customer_id and d.number >= since.number
join customers c on c.id = d.customer_id
"""  # noqa: S608 - names of columns only


async def dialogs(
    connection: RawConnection | RawPool, ids: Collection[UUID], *, customers: Collection[UUID] = ()
) -> Talks:
    """Dialogs by id with the later ones of their customers, and all dialogs of `customers`."""
    talks = Talks()
    for row in await connection.fetch(_dialogs_statement(), list(ids), list(customers)):
        talk = _talk(row)
        talks.by_id[row["id"]] = talk
        talks.by_customer.setdefault(talk.customer_id, []).append(talk)
    return talks


def _talk(row: Any) -> Talk:
    customer_id = row["customer_id"]
    shown = {name: row[name] for name in queries.DIALOG_FIELDS}
    avatar_url = queries.avatar_url(customer_id, row["avatar_key"])
    shown["customer"] = {"id": customer_id, "name": row["customer_name"], "avatar_url": avatar_url}
    audience = access.audience(
        assignee_id=row["assignee_id"],
        team_id=row["team_id"],
        channel_id=row["channel_id"],
        guests=row["guests"],
        guest_teams=row["guest_teams"],
    )
    return Talk(number=row["number"], customer_id=customer_id, shown=shown, audience=audience)


_FILE_FIELDS = ("id", "kind", "name", "mime", "size", "width", "height", "duration", "content_id", "state")


@cache
def _messages_statement() -> str:
    file = ", ".join(f"'{name}', a.{name}" for name in (*_FILE_FIELDS, "error"))
    url = "case when a.state = 'stored' then '/api/v1/files/' || a.id end"
    hidden = ",".join(sorted(queries.HIDDEN_META))
    return f"""
select {", ".join(f"m.{name}" for name in sorted(queries.MESSAGE_FIELDS - {"reactions"}))},
       m.reactions::text as reactions,
       (m.meta - '{{{hidden}}}'::text[])::text as meta,
       q.id as quoted_id, left(q.text, 200) as quoted_text, q.direction as quoted_direction,
       c.state as channel_state,
       (select json_agg(json_build_object({file}, 'url', {url}) order by a.position)::text
        from attachments a where a.message_id = m.id) as files,
       (select json_agg(json_build_object('kind', t.kind, 'state', t.state, 'text', t.body ->> 'text',
                                          'emoji', t.body ->> 'emoji', 'error', t.error,
                                          'error_code', t.error_code) order by t.id)::text
        from acts t where t.message_id = m.id and t.kind in ('edit', 'delete', 'react')) as acts
from messages m
left join lateral (
    select * from messages where id = m.reply_to_id offset 0) q on q.customer_id = m.customer_id
left join channels c on c.id = m.channel_id
where m.id = any($1::uuid[])
"""  # noqa: S608 - names of columns only


async def messages(connection: RawConnection | RawPool, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Messages by id, in the form the API gives them."""
    rows = await connection.fetch(_messages_statement(), list(ids))
    return {row["id"]: _message(row) for row in rows}


def _message(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in queries.MESSAGE_FIELDS}
    if queries.is_paused(row["status"], row["error_code"], row["channel_state"]):
        shown |= queries.PAUSED
    quoted = {"id": row["quoted_id"], "text": row["quoted_text"], "direction": row["quoted_direction"]}
    shown["reply_to"] = quoted if row["quoted_id"] else None
    shown["attachments"] = orjson.Fragment(row["files"] or "[]")
    shown["meta"] = orjson.Fragment(row["meta"])
    shown["reactions"] = orjson.Fragment(row["reactions"])
    shown["acts"] = orjson.Fragment(row["acts"] or "[]")
    return shown
