"""What is left over by dialogs and of no more use: found a batch at a time, in short transactions."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

BATCH = 500
UNUSED_UPLOADS = timedelta(hours=24)
USED_LINKS = timedelta(days=30)
ORPHANS = timedelta(hours=1)

_UPLOADS = text("""
delete from attachments
where id in (
    select id from attachments
    where message_id is null and created_at < now() - cast(:older as interval)
    limit :limit for update skip locked)
returning file_key
""")

_LINKS = text("""
delete from link_tokens
where token_hash in (
    select token_hash from link_tokens
    where coalesce(used_at, expires_at) < now() - cast(:older as interval)
    limit :limit for update skip locked)
""")

_ORPHANS = text("""
delete from customers
where id in (
    select c.id from customers c
    where c.created_at < now() - cast(:older as interval)
      and not exists (select from identities i where i.customer_id = c.id)
      and not exists (select from dialogs d where d.customer_id = c.id)
      and not exists (select from messages m where m.customer_id = c.id)
    limit :limit for update of c skip locked)
returning avatar_key
""")

_RAW = text("""
with oldest as materialized (
    select id, state, received_at < :before as old
    from inbound where id > :after order by id limit :limit
), gone as (
    delete from inbound i using oldest o
    where i.id = o.id and o.old and o.state in ('done', 'ignored') and i.state = o.state
      and (i.done_at is null or i.done_at < :before)
      and i.id not in (
        select m.inbound_id from attachments a join messages m on m.id = a.message_id
        where a.state = 'pending' and m.inbound_id is not null)
    returning 1)
select max(id) filter (where old), count(*) filter (where old), (select count(*) from gone) from oldest
""")


async def forget_uploads(session: AsyncSession) -> list[str]:
    """Uploads that no message has taken within a day; returns the keys of their files."""
    keys = await session.scalars(_UPLOADS, {"older": UNUSED_UPLOADS, "limit": BATCH})
    return [key or "" for key in keys]


async def forget_links(session: AsyncSession) -> int:
    """Deep links that were used or expired a month ago; returns how many."""
    result = await session.execute(_LINKS, {"older": USED_LINKS, "limit": BATCH})
    return int(result.rowcount)  # type: ignore[attr-defined]


async def forget_orphans(session: AsyncSession) -> list[str]:
    """Customers of whom nothing is left (what they had was joined to others); their pictures' keys."""
    keys = await session.scalars(_ORPHANS, {"older": ORPHANS, "limit": BATCH})
    return [key or "" for key in keys]


async def forget_raw(session: AsyncSession, *, before: datetime, after: int) -> tuple[int, int | None]:
    """Raw events understood before a time, but for those a mail's file is still to be taken from.

    Looks at one batch with ids above `after`; returns how many are gone and where to go on, or None
    at the end. Quarantined ones stay: somebody has to look at them.
    """
    values = {"before": before, "after": after, "limit": BATCH}
    last, old, gone = (await session.execute(_RAW, values)).one()
    return gone, last if old == BATCH else None
