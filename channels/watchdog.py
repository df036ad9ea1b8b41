"""Channels whose polling has fallen silent without an error: marked, so that somebody looks."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from channels import health
from channels.base import RetryLater

EVERY = 30.0
_SILENT = text("""
select c.id from channels c join channel_cursors u on u.channel_id = c.id
where c.state = 'active' and c.error is null and c.seen_at < now() - interval '3 minutes'
  and coalesce(c.settings ->> 'transport', 'poll') = 'poll'
for update of c skip locked
""")


async def turn(session: AsyncSession) -> None:
    """Mark them; the next contact takes the mark away."""
    for id in list(await session.scalars(_SILENT)):
        silence = RetryLater("The platform has not answered for three minutes.", code="silent")
        await health.warn(session, await health.get(session, id), silence)
