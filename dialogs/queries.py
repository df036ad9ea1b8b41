"""Reading dialogs, messages and customers in the form the API and the feed give them.

No policy here: callers ask for ids they may see, or pass a condition of `dialogs.access`.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from channels.models import Channel
from dialogs.acts import Act
from dialogs.models import Attachment, Customer, Dialog, DialogRead, Identity, Message
from dialogs.schemas import (
    ActOut,
    AttachmentOut,
    CustomerOut,
    CustomerRef,
    DialogOut,
    DialogRow,
    IdentityChannel,
    IdentityOut,
    MessageOut,
    ReactionOut,
    ReplyRef,
)

DIALOG_FIELDS = frozenset(DialogOut.model_fields) - {"customer"}
MESSAGE_FIELDS = frozenset(MessageOut.model_fields) - {"reply_to", "attachments", "acts", "meta"}
PAUSED = {
    "error_code": "channel_paused",
    "error": "The channel is not working now; the message leaves when it does again.",
}
SHOWN_ACTS = Act.kind.in_(("edit", "delete", "react"))
HIDDEN_META = frozenset({"references", "link_token"})


def avatar_url(customer_id: UUID, avatar_key: str | None) -> str | None:
    return f"/api/v1/customers/{customer_id}/avatar?v={avatar_key[-8:]}" if avatar_key else None


def _dialog_query() -> Select[*tuple[Any, ...]]:
    return select(Dialog, Customer.name, Customer.avatar_key).join(
        Customer, Customer.id == Dialog.customer_id
    )


def _dialog(row: Any) -> dict[str, Any]:
    dialog, name, avatar_key = row[0], row[1], row[2]
    values = {field: getattr(dialog, field) for field in DIALOG_FIELDS}
    values["customer"] = CustomerRef(
        id=dialog.customer_id, name=name, avatar_url=avatar_url(dialog.customer_id, avatar_key)
    )
    return values


async def dialogs(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, DialogOut]:
    """Dialogs by id."""
    rows = await session.execute(_dialog_query().where(Dialog.id.in_(list(ids))))
    return {row[0].id: DialogOut.model_construct(**_dialog(row)) for row in rows}


def unread_of(agent_id: UUID) -> ColumnElement[int]:
    """Inbound messages of `Dialog` that the agent has not read."""
    read = (
        select(DialogRead.inbound_count)
        .where(DialogRead.agent_id == agent_id, DialogRead.dialog_id == Dialog.id)
        .scalar_subquery()
    )
    return Dialog.inbound_count - func.coalesce(read, 0)


async def dialog_rows(
    session: AsyncSession,
    *,
    agent_id: UUID,
    where: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
) -> list[DialogRow]:
    """Dialogs of a list with the unread of `agent_id`."""
    query = _dialog_query().add_columns(unread_of(agent_id)).where(*where).order_by(*order).limit(limit)
    return [
        DialogRow.model_construct(unread=max(0, row[3]), **_dialog(row))
        for row in await session.execute(query)
    ]


async def dialogs_of(session: AsyncSession, customer_id: UUID, *, up_to: int) -> list[DialogOut]:
    """A customer's dialogs with numbers up to `up_to`, newest first."""
    query = (
        _dialog_query()
        .where(Dialog.customer_id == customer_id, Dialog.number <= up_to)
        .order_by(Dialog.number.desc())
        .limit(50)
    )
    return [DialogOut.model_construct(**_dialog(row)) for row in await session.execute(query)]


def attachment(row: Attachment) -> AttachmentOut:
    return AttachmentOut.model_construct(
        id=row.id,
        kind=row.kind,
        name=row.name,
        mime=row.mime,
        size=row.size,
        width=row.width,
        height=row.height,
        duration=row.duration,
        content_id=row.content_id,
        state=row.state,
        error=row.error,
        url=f"/api/v1/files/{row.id}" if row.state == "stored" else None,
    )


async def _attachments(session: AsyncSession, ids: list[UUID]) -> dict[UUID, list[AttachmentOut]]:
    found: dict[UUID, list[AttachmentOut]] = {}
    query = select(Attachment).where(Attachment.message_id.in_(ids)).order_by(Attachment.position)
    for row in await session.scalars(query):
        assert row.message_id is not None
        found.setdefault(row.message_id, []).append(attachment(row))
    return found


async def _messages(session: AsyncSession, query: Select[Any]) -> list[MessageOut]:
    quoted = aliased(Message)
    rows = (
        await session.execute(
            query.add_columns(quoted.id, func.left(quoted.text, 200), quoted.direction, Channel.state)
            .outerjoin(
                quoted,  # in a group chat somebody else's message may be quoted: it is not shown here
                (quoted.id == Message.reply_to_id) & (quoted.customer_id == Message.customer_id),
            )
            .outerjoin(Channel, Channel.id == Message.channel_id)
        )
    ).all()
    ids = [row[0].id for row in rows]
    files, to_do = await _attachments(session, ids), await _acts(session, ids)
    return [_message(row, files.get(row[0].id, []), to_do.get(row[0].id, [])) for row in rows]


async def _acts(session: AsyncSession, ids: list[UUID]) -> dict[UUID, list[ActOut]]:
    found: dict[UUID, list[ActOut]] = {}
    for row in await session.scalars(select(Act).where(Act.message_id.in_(ids), SHOWN_ACTS).order_by(Act.id)):
        found.setdefault(row.message_id, []).append(
            ActOut.model_construct(
                kind=row.kind,
                state=row.state,
                text=row.body.get("text"),
                emoji=row.body.get("emoji"),
                error=row.error,
                error_code=row.error_code,
            )
        )
    return found


def is_paused(status: str | None, error_code: str | None, channel_state: str | None) -> bool:
    """Whether a message waits for its channel."""
    return status == "queued" and channel_state != "active" and not error_code


def _message(row: Any, files: list[AttachmentOut], to_do: list[ActOut]) -> MessageOut:
    message = row[0]
    values = {field: getattr(message, field) for field in MESSAGE_FIELDS}
    if is_paused(message.status, message.error_code, row[4]):
        values |= PAUSED
    values["reactions"] = [ReactionOut(**one) for one in message.reactions]
    return MessageOut.model_construct(
        **values,
        reply_to=ReplyRef(id=row[1], text=row[2], direction=row[3]) if row[1] else None,
        attachments=files,
        acts=to_do,
        meta={key: value for key, value in message.meta.items() if key not in HIDDEN_META},
    )


async def messages(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, MessageOut]:
    """Messages by id."""
    found = await _messages(session, select(Message).where(Message.id.in_(list(ids))))
    return {message.id: message for message in found}


async def message(session: AsyncSession, message_id: UUID) -> MessageOut:
    """One message that exists."""
    return (await messages(session, [message_id]))[message_id]


async def message_now(session: AsyncSession, message_id: UUID) -> MessageOut:
    """One message after a change in this session."""
    await session.flush()
    session.expire_all()
    return await message(session, message_id)


async def thread(
    session: AsyncSession,
    customer_id: UUID,
    *,
    up_to: int,
    before: int | None,
    after: int | None,
    limit: int,
) -> tuple[list[MessageOut], bool]:
    """A part of a customer's thread over his dialogs with numbers up to `up_to`, oldest first."""
    allowed = select(Dialog.id).where(Dialog.customer_id == customer_id, Dialog.number <= up_to)
    # Not `in`: the planner would gather all messages of these dialogs and sort them.
    among = func.array_position(func.array(allowed.scalar_subquery()), Message.dialog_id)
    # Written out, not as a parameter: how much somebody wrote decides how to read it.
    his = bindparam("his", customer_id, type_=Message.customer_id.type, literal_execute=True)
    query = select(Message).where(Message.customer_id == his, among.is_not(None))
    if after is not None:
        query = query.where(Message.seq > after).order_by(Message.seq)
    else:
        query = query.order_by(Message.seq.desc())
    if before is not None:
        query = query.where(Message.seq < before)
    found = await _messages(session, query.limit(limit + 1))
    more = len(found) > limit
    return sorted(found[:limit], key=lambda message: message.seq), more


async def customers(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, CustomerOut]:
    """Customers by id."""
    rows = await session.scalars(select(Customer).where(Customer.id.in_(list(ids))))
    return {row.id: customer(row) for row in rows}


def customer(row: Customer) -> CustomerOut:
    return CustomerOut.model_construct(
        id=row.id,
        name=row.name,
        avatar_url=avatar_url(row.id, row.avatar_key),
        phone=row.phone,
        email=row.email,
        about=row.about,
        locale=row.locale,
        created_at=row.created_at,
    )


async def identities(session: AsyncSession, customer_id: UUID) -> list[IdentityOut]:
    """A customer's identities with the channels each of them wrote by, last one first."""
    rows = await session.scalars(
        select(Identity).where(Identity.customer_id == customer_id).order_by(Identity.created_at)
    )
    wrote = await session.execute(
        select(Message.identity_id, Message.channel_id, func.max(Message.created_at))
        .where(Message.customer_id == customer_id, Message.direction == "in")
        .group_by(Message.identity_id, Message.channel_id)
        .order_by(func.max(Message.created_at).desc())
    )
    channels: dict[UUID, list[IdentityChannel]] = {}
    for identity_id, channel_id, last_at in wrote:
        if identity_id is not None and channel_id is not None:
            seen = IdentityChannel(channel_id=channel_id, last_at=last_at)
            channels.setdefault(identity_id, []).append(seen)
    return [
        IdentityOut(
            id=row.id,
            kind=row.kind,
            external_id=row.external_id,
            name=row.name,
            username=row.username,
            reachable=row.reachable,
            channels=channels.get(row.id, []),
        )
        for row in rows
    ]


MATCHING = """
select coalesce(merged_into_id, id) from customers where words like {}
union all select customer_id from identities where words like {}
"""
"""Customers of whom a name, phone, mail or contact holds words, as `like` writes them."""


def like(words: str) -> str:
    """Pattern for `MATCHING`. Fewer than three letters are looked for where words begin."""
    words = words.strip().lower()
    plain = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{plain}%" if len(words) > 2 else f"% {plain}%"


def matches(words: str) -> ColumnElement[bool]:
    """Condition on `Customer`: see `MATCHING`."""
    pattern = like(words)
    found = select(func.coalesce(Customer.merged_into_id, Customer.id)).where(Customer.words.like(pattern))
    known = select(Identity.customer_id).where(Identity.words.like(pattern))
    return Customer.id.in_(found.union_all(known))
