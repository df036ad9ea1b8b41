"""What a visitor may read: his own messages of this channel and our answers to him. Nothing else.

No notes, no system lines, nothing of the customer's other identities or channels, and an answer only
when it has left.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent
from dialogs.models import Attachment, Dialog, Identity, Message

VISIBLE = ("sent", "delivered", "read")
PAGE = 50


class PublicFile(BaseModel):
    """A file as a visitor sees it."""

    id: UUID
    kind: str
    name: str
    mime: str
    size: int | None
    url: str | None
    state: str


class PublicMessage(BaseModel, serialize_by_alias=True):
    """A message as a visitor sees it. `seq` 0: taken, but not in the thread yet."""

    id: UUID
    seq: int
    sender: Literal["visitor", "agent"] = Field(serialization_alias="from")
    author_name: str | None = None
    text: str
    attachments: list[PublicFile]
    created_at: datetime
    client_key: str | None = None
    status: str | None = Field(default=None, exclude=True)
    """Of an answer: whether the visitor's page has told us that it has it."""


async def page(
    session: AsyncSession,
    *,
    channel_id: UUID,
    visitor_id: str,
    names: bool = True,
    before: int | None = None,
    limit: int = PAGE,
) -> tuple[list[PublicMessage], bool]:
    """The newest messages (before the number `before`), oldest first, and whether there are earlier ones."""
    query: Select[*tuple[Any, ...]] = select(Message, Agent.name)
    query = _of(query, channel_id, visitor_id).outerjoin(Agent, Agent.id == Message.author_id)
    if before is not None:
        query = query.where(Message.seq < before)
    rows = (await session.execute(query.order_by(Message.seq.desc()).limit(limit + 1))).all()
    files = await _files(session, [row[0].id for row in rows])
    found = [_public(row[0], row[1] if names else None, files.get(row[0].id, [])) for row in rows[:limit]]
    return found[::-1], len(rows) > limit


async def since(
    session: AsyncSession, *, channel_id: UUID, visitor_id: str, names: bool, after: int
) -> list[PublicMessage]:
    """The newest page and, when more was missed, everything with a number above `after` (at most 500)."""
    found, more = await page(session, channel_id=channel_id, visitor_id=visitor_id, names=names)
    while more and after and found[0].seq > after + 1 and len(found) < 500:
        earlier, more = await page(
            session, channel_id=channel_id, visitor_id=visitor_id, names=names, before=found[0].seq
        )
        found = earlier + found
    return found


async def find_identity(session: AsyncSession, *, channel_id: UUID, visitor_id: str) -> Identity | None:
    """Who the visitor is; nobody before his first message was understood."""
    return await session.scalar(
        select(Identity).where(Identity.scope == str(channel_id), Identity.external_id == visitor_id)
    )


async def find_open_dialog(session: AsyncSession, customer_id: UUID) -> UUID | None:
    """The customer's dialog that is not closed."""
    return await session.scalar(
        select(Dialog.id).where(Dialog.customer_id == customer_id, Dialog.status != "closed")
    )


async def access_file(
    session: AsyncSession, *, channel_id: UUID, visitor_id: str, file_id: UUID
) -> Attachment | None:
    """A file of a message the visitor may read, or one he uploaded himself for a message to come."""
    file = await session.get(Attachment, file_id)
    if file is None:
        return None
    if file.message_id is None:
        return file if file.ref == upload_ref(channel_id, visitor_id) else None
    query = _of(select(Message.id), channel_id, visitor_id).where(Message.id == file.message_id)
    return file if await session.scalar(query) else None


async def access_uploads(
    session: AsyncSession, *, channel_id: UUID, visitor_id: str, ids: Sequence[UUID]
) -> list[Attachment]:
    """Files the visitor uploaded and did not send yet, in the order of `ids`; others are left out."""
    rows = await session.scalars(
        select(Attachment).where(Attachment.id.in_(ids), Attachment.message_id.is_(None))
    )
    own = {row.id: row for row in rows if row.ref == upload_ref(channel_id, visitor_id)}
    return [own[id] for id in dict.fromkeys(ids) if id in own]


def upload_ref(channel_id: UUID, visitor_id: str) -> dict[str, str]:
    """Marks whose an upload is: before his first message a visitor has no identity."""
    return {"channel": str(channel_id), "visitor": visitor_id}


def public_file(row: Attachment, channel_id: UUID) -> PublicFile:
    return PublicFile(
        id=row.id,
        kind=row.kind,
        name=row.name,
        mime=row.mime,
        size=row.size,
        url=file_url(channel_id, row.id) if row.state == "stored" else None,
        state=row.state,
    )


def file_url(channel_id: UUID, file_id: UUID) -> str:
    return f"/widget/v1/{channel_id}/files/{file_id}"


def _of(query: Select[*tuple[Any, ...]], channel_id: UUID, visitor_id: str) -> Select[Any]:
    return query.join(Identity, Identity.id == Message.identity_id).where(
        Message.channel_id == channel_id,
        Message.chat == visitor_id,
        Identity.scope == str(channel_id),
        Identity.external_id == visitor_id,
        _readable(),
    )


def _readable() -> ColumnElement[bool]:
    answered = (Message.direction == "out") & Message.status.in_(VISIBLE)
    return or_(Message.direction == "in", answered)


async def _files(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[Attachment]]:
    query = select(Attachment).where(Attachment.message_id.in_(ids)).order_by(Attachment.position)
    found: dict[UUID, list[Attachment]] = {}
    for row in await session.scalars(query):
        assert row.message_id is not None
        found.setdefault(row.message_id, []).append(row)
    return found


def _public(message: Message, author: str | None, files: list[Attachment]) -> PublicMessage:
    own = message.direction == "in"
    assert message.channel_id is not None
    return PublicMessage(
        id=message.id,
        seq=message.seq,
        sender="visitor" if own else "agent",
        author_name=None if own else author,
        text=message.text,
        attachments=[public_file(file, message.channel_id) for file in files],
        created_at=message.created_at,
        client_key=message.external_id if own else None,
        status=message.status,
    )
