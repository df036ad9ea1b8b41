"""What is left over by dialogs and of no more use: found a batch at a time, in short transactions."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import partitions
from app.core.partitions import Partition

BATCH = 500
UNUSED_UPLOADS = timedelta(hours=24)
USED_LINKS = timedelta(days=30)
ORPHANS = timedelta(hours=1)
REPEATS = timedelta(days=90)
"""Platforms repeat an event for days; a mailbox that is read anew brings mails of weeks."""

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
      and c.merged_into_id is null
      and not exists (select from customers m where m.merged_into_id = c.id)
      and not exists (select from identities i where i.customer_id = c.id)
      and not exists (select from dialogs d where d.customer_id = c.id)
      and not exists (select from messages m where m.customer_id = c.id)
    limit :limit for update of c skip locked)
returning avatar_key
""")

_WANTED = """
    i.state not in ('done', 'ignored') or i.done_at >= :before or i.id in (
        select m.inbound_id from attachments a join messages m on m.id = a.message_id
        where a.state = 'pending' and m.inbound_id is not null)
"""
_RAW = text(f"""
with oldest as materialized (
    select id, received_at < :before as old
    from inbound_default where id > :after order by id limit :limit
), gone as (
    delete from inbound_default i using oldest o
    where i.id = o.id and o.old and ({_WANTED}) is not true
    returning 1)
select max(id) filter (where old), count(*) filter (where old), (select count(*) from gone) from oldest
""")  # noqa: S608 - constants only
_KEEP = f"insert into inbound overriding system value select i.* from {{month}} i where {_WANTED}"  # noqa: S608

_RAW_KEYS = text("""
delete from inbound_keys
where (channel_id, key) in (
    select channel_id, key from inbound_keys where received_at < :before
    order by received_at limit :limit for update skip locked)
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


async def forget_raw_month(session: AsyncSession, month: Partition, *, before: datetime) -> None:
    """Drop a month of raw events. What is not understood, or a mail whose file is still to be taken from it,
    moves to those without a month."""
    await partitions.detach(session, month)
    await session.execute(text(_KEEP.format(month=month.name)), {"before": before})
    await partitions.drop(session, month)


async def forget_raw_keys(session: AsyncSession, *, before: datetime) -> int:
    """Keys of raw events that came before a time: no platform repeats them any more; returns how many."""
    result = await session.execute(_RAW_KEYS, {"before": before, "limit": BATCH})
    return int(result.rowcount)  # type: ignore[attr-defined]


async def forget_raw(session: AsyncSession, *, before: datetime, after: int) -> tuple[int, int | None]:
    """Raw events without a month, understood before a time and not wanted for a mail's file.

    Looks at one batch with ids above `after`; returns how many are gone and where to go on, or None
    at the end. Quarantined ones stay: somebody has to look at them.
    """
    values = {"before": before, "after": after, "limit": BATCH}
    last, old, gone = (await session.execute(_RAW, values)).one()
    return gone, last if old == BATCH else None
