"""By which ids platforms and clients know messages: tables of their own, which say whether a message is
there already, whatever month it lies in. A key is written with its message."""

from uuid import UUID

from sqlalchemy import CompoundSelect, ForeignKey, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.schema import Base
from dialogs.models import Message
from dialogs.store import clean


class MessageKey(Base):
    """The platform's id of a message: one message each."""

    __tablename__ = "message_keys"

    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    chat: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[UUID]


class ClientKey(Base):
    """The client's own key of a message: the same key gives the same message."""

    __tablename__ = "client_keys"

    author_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_key: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[UUID]


class MessageAlias(Base):
    """Other ids of a message, by which later ones refer to it (Message-ID, further parts)."""

    __tablename__ = "message_aliases"

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(index=True)


def of(message: Message) -> MessageKey:
    """The key of a message of a platform; refused by the database when it is there already."""
    names = ("channel_id", "chat", "external_id")
    return MessageKey(message_id=message.id, **{name: getattr(message, name) for name in names})


def named(channel_id: UUID, chat: str, external_id: str) -> Select[UUID]:
    """Selects the id of the message that the platform calls `external_id`."""
    return select(MessageKey.message_id).where(
        MessageKey.channel_id == channel_id,
        MessageKey.chat == clean(chat),
        MessageKey.external_id == clean(external_id),
    )


def any_name(channel_id: UUID, chat: str, external_id: str) -> CompoundSelect[UUID]:
    """Selects the id of the message by this or any further id of it."""
    alias = f"{clean(chat)}:{clean(external_id)}"
    further = select(MessageAlias.message_id).where(
        MessageAlias.channel_id == channel_id, MessageAlias.alias == alias
    )
    return named(channel_id, chat, external_id).union_all(further)


async def add(
    session: AsyncSession, channel_id: UUID, chat: str | None, external_id: str, *, message_id: UUID
) -> None:
    """The platform has given a message an id. An id that is taken stays with the message that has it."""
    if chat is None or not external_id:
        return
    values = {"channel_id": channel_id, "chat": chat, "external_id": external_id, "message_id": message_id}
    await session.execute(insert(MessageKey).values(values).on_conflict_do_nothing())
