"""REST of what is done with a message beside sending it: changed, deleted, reacted to."""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from app.agents.deps import Caller
from app.core import idempotency
from app.core.deps import Session
from channels.acts import ActKind
from dialogs import access, acts, queries
from dialogs.models import MessageVersion
from dialogs.schemas import MessageChange, MessageOut, ReactionNew, VersionOut

router = APIRouter(tags=["Dialogs"], route_class=idempotency.Route)


@router.patch("/messages/{message_id}", operation_id="message_edit")
async def message_edit(session: Session, caller: Caller, message_id: UUID, new: MessageChange) -> MessageOut:
    """Change a note or an answer. One that is on its platform is changed there first: see `acts`."""
    await acts.edit(session, caller, message_id, new.text)
    return await queries.message_now(session, message_id)


@router.delete("/messages/{message_id}", operation_id="message_delete")
async def message_delete(session: Session, caller: Caller, message_id: UUID) -> MessageOut:
    """Delete a note, or an answer on its platform. Here it stays, marked with `deleted_at`."""
    await acts.take_back(session, caller, message_id)
    return await queries.message_now(session, message_id)


@router.put("/messages/{message_id}/reaction", operation_id="message_react")
async def message_react(session: Session, caller: Caller, message_id: UUID, new: ReactionNew) -> MessageOut:
    """React to a message on its platform; `capabilities.emojis` says with what."""
    await acts.react(session, caller, message_id, new.emoji)
    return await queries.message_now(session, message_id)


@router.delete("/messages/{message_id}/acts/{kind}", operation_id="message_act_dismiss")
async def message_act_dismiss(
    session: Session, caller: Caller, message_id: UUID, kind: ActKind
) -> MessageOut:
    """Forget what the platform refused."""
    await acts.dismiss(session, caller, message_id, kind)
    return await queries.message_now(session, message_id)


@router.get("/messages/{message_id}/versions", operation_id="message_versions")
async def message_versions(session: Session, caller: Caller, message_id: UUID) -> list[VersionOut]:
    """What a message said before it was changed, oldest first."""
    await access.access_message(session, caller, message_id)
    query = select(MessageVersion).where(MessageVersion.message_id == message_id)
    rows = await session.scalars(query.order_by(MessageVersion.id).limit(1000))
    return [VersionOut(text=row.text, replaced_at=row.replaced_at) for row in rows]
