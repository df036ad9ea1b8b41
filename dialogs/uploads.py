"""Files: uploaded by agents and visitors before their message exists, then adopted by it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core.errors import Invalid
from channels.base import File
from dialogs.models import Attachment, Identity

_COPIED = ("kind", "name", "mime", "size", "width", "height", "duration", "state", "file_key")


def named(files: Sequence[File]) -> bool:
    """Some of the files were uploaded to our own server."""
    return any("upload" in file.ref for file in files)


async def adopt(session: AsyncSession, files: Sequence[File], *, message_id: UUID, identity_id: UUID) -> None:
    """Files a visitor uploaded to our own server are taken over by the message that names them."""
    uploaded = {
        position: _id(file.ref["upload"]) for position, file in enumerate(files) if "upload" in file.ref
    }
    for position, upload_id in uploaded.items():
        upload = await _own(session, upload_id, identity_id=identity_id)
        values: dict[str, Any] = {"state": "unavailable", "error": "The upload is not there."}
        if upload is not None:
            values = {name: getattr(upload, name) for name in _COPIED}
            await session.execute(delete(Attachment).where(Attachment.id == upload_id))
        await session.execute(
            update(Attachment)
            .where(Attachment.message_id == message_id, Attachment.position == position)
            .values(identity_id=identity_id, **values)
        )


async def _own(session: AsyncSession, upload_id: UUID | None, *, identity_id: UUID) -> Attachment | None:
    """The upload, when it is unused and this visitor's (`ref` says whose, before he has written)."""
    upload = await session.scalar(
        select(Attachment).where(
            Attachment.id == upload_id,
            Attachment.message_id.is_(None),
            Attachment.uploaded_by.is_(None),
            or_(Attachment.identity_id.is_(None), Attachment.identity_id == identity_id),
        )
    )
    if upload is None or not upload.ref:
        return upload
    visitor = await session.get_one(Identity, identity_id)
    own = {"channel": visitor.scope, "visitor": visitor.external_id}
    return upload if upload.ref == own else None


def _id(value: object) -> UUID | None:
    """What is no id at all names no upload."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


async def attach(
    session: AsyncSession, viewer: Viewer, attachment_ids: Sequence[UUID], *, message_id: UUID
) -> None:
    """An agent's uploads become files of his message, in the given order; raises `Invalid`."""
    for position, attachment_id in enumerate(attachment_ids):
        taken = await session.scalar(
            update(Attachment)
            .where(
                Attachment.id == attachment_id,
                Attachment.message_id.is_(None),
                Attachment.uploaded_by == viewer.agent_id,
            )
            .values(message_id=message_id, position=position)
            .returning(Attachment.id)
        )
        if taken is None:
            raise Invalid(f"Attachment {attachment_id} is not one you uploaded, or is used already.")


async def copy(session: AsyncSession, message_id: UUID, *, to: UUID, after: int = 0) -> None:
    """The stored files of a message, once more, for the one that repeats it; from position `after`."""
    stored = select(Attachment).where(Attachment.message_id == message_id, Attachment.state == "stored")
    for old in await session.scalars(stored):
        values = {name: getattr(old, name) for name in (*_COPIED, "position", "uploaded_by", "ref")}
        session.add(Attachment(message_id=to, **values | {"position": old.position + after}))
    await session.flush()
