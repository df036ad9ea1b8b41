"""Forgetting old messages: all that belongs to a month's messages, a batch at a time, then the month."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import partitions
from app.core.partitions import Partition
from dialogs.housekeeping import BATCH

_TO_SEND = "select exists (select from {month} where status in ('queued', 'sending'))"
_SOME = "select id from {month} where id > :after order by id limit :limit"
_FILES = text("delete from attachments where message_id = any(:ids) returning file_key")
_BELONGINGS = [
    text(sql)
    for sql in (
        "delete from message_keys where (channel_id, chat, external_id) in"
        " (select channel_id, chat, external_id from messages where id = any(:ids))",
        "delete from client_keys where (author_id, client_key) in"
        " (select author_id, client_key from messages where id = any(:ids))",
        "delete from message_aliases where message_id = any(:ids)",
        "delete from message_versions where message_id = any(:ids)",
        "delete from task_messages where message_id = any(:ids)",
    )
]


async def due(session: AsyncSession, *, before: datetime) -> list[Partition]:
    """Months of messages that were over before a time and hold nothing that is still to be sent."""
    found = []
    for month in await partitions.older(session, "messages", than=before):
        if not await session.scalar(text(_TO_SEND.format(month=month.name))):
            found.append(month)
    return found


async def forget_belongings(
    session: AsyncSession, month: Partition, *, after: UUID
) -> tuple[list[str], UUID | None]:
    """What belongs to some messages of a month, those after an id.

    Returns the keys of their files and the last id, or None at the end.
    """
    values = {"after": after, "limit": BATCH}
    ids = list(await session.scalars(text(_SOME.format(month=month.name)), values))
    keys = list(await session.scalars(_FILES, {"ids": ids}))
    for belongings in _BELONGINGS:
        await session.execute(belongings, {"ids": ids})
    return [key for key in keys if key], ids[-1] if ids else None


async def forget_month(session: AsyncSession, month: Partition) -> None:
    """Drop a month of messages when all that belonged to them is gone."""
    await partitions.detach(session, month)
    await partitions.drop(session, month)
