"""Putting together what an adapter is given to send."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent
from app.core.files import Files
from channels.base import Kind, OutgoingFile, OutgoingMessage
from dialogs.models import Attachment, Identity, Message


@dataclass(slots=True)
class StoredContent:
    """Bytes of a stored file, read once."""

    files: Files
    key: str
    data: bytes | None = None

    async def read(self) -> bytes:
        if self.data is None:
            self.data = await self.files.get(self.key)
        return self.data


async def compose(session: AsyncSession, message_id: UUID, *, files: Files) -> OutgoingMessage:
    """The message with its files, its recipient, and what the channel needs to answer in place."""
    message = (await session.scalars(select(Message).where(Message.id == message_id))).one()
    recipient = await session.scalar(select(Identity.external_id).where(Identity.id == message.identity_id))
    author = await session.scalar(select(Agent.name).where(Agent.id == message.author_id))
    return OutgoingMessage(
        key=str(message.seq),
        chat=message.chat or "",
        recipient=recipient or "",
        text=message.text,
        files=await _files(session, message_id, files),
        reply_to=await _reply_to(session, message),
        meta=await _meta(session, message),
        author=author or "",
    )


async def _files(session: AsyncSession, message_id: UUID, files: Files) -> list[OutgoingFile]:
    rows = await session.scalars(
        select(Attachment)
        .where(Attachment.message_id == message_id, Attachment.file_key.is_not(None))
        .order_by(Attachment.position)
    )
    return [
        OutgoingFile(
            kind=cast(Kind, row.kind),
            name=row.name,
            mime=row.mime,
            size=row.size or 0,
            content=StoredContent(files, row.file_key or ""),
        )
        for row in rows
    ]


async def _reply_to(session: AsyncSession, message: Message) -> str:
    if message.reply_to_id is None:
        return ""
    quoted = await session.scalar(
        select(Message.external_id).where(
            Message.id == message.reply_to_id,
            Message.channel_id == message.channel_id,
            Message.chat == message.chat,
        )
    )
    return quoted or ""


async def _meta(session: AsyncSession, message: Message) -> dict[str, object]:
    if not message.chat:
        return {}
    meta = await session.scalar(
        select(Message.meta)
        .where(
            Message.channel_id == message.channel_id,
            Message.chat == message.chat,
            Message.direction == "in",
            Message.seq < message.seq,
        )
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return dict(meta or {})
