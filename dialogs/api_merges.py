"""REST of who is who: merges, and contacts given to other customers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.agents.deps import Caller
from app.core import idempotency
from app.core.deps import Session
from dialogs import customers, joining, merging, suggestions, unmerging
from dialogs.customer_schemas import (
    CustomerCard,
    Dismissal,
    MergeNew,
    MergePreview,
    MergeUndone,
    MoveNew,
    MoveOut,
    MovePreview,
    Suggestion,
)

router = APIRouter(tags=["Customers"], route_class=idempotency.Route)


@router.get("/customers/{customer_id}/merge-preview", operation_id="merge_preview")
async def merge_preview(
    session: Session, caller: Caller, customer_id: UUID, other: Annotated[UUID, Query(alias="with")]
) -> MergePreview:
    """What merging the customer `with` into this one would do. Nothing happens yet."""
    return await merging.preview(session, caller, kept=customer_id, merged=other)


@router.post("/customers/{customer_id}/merge", operation_id="customer_merge", status_code=201)
async def customer_merge(session: Session, caller: Caller, customer_id: UUID, new: MergeNew) -> CustomerCard:
    """The other is the same person as this customer, who is kept. The caller has to see both."""
    await merging.merge(session, caller, kept=customer_id, merged=new.customer_id)
    session.expire_all()
    return await customers.card(session, caller, customer_id)


@router.get("/customers/{customer_id}/suggestions", operation_id="suggestions_list")
async def suggestions_list(session: Session, caller: Caller, customer_id: UUID) -> list[Suggestion]:
    """Who may be the same person, surest first: of customers whom the caller sees."""
    return await suggestions.of(session, caller, customer_id)


@router.post(
    "/customers/{customer_id}/suggestions/dismiss", operation_id="suggestion_dismiss", status_code=204
)
async def suggestion_dismiss(session: Session, caller: Caller, customer_id: UUID, new: Dismissal) -> None:
    """They are not the same person: it is not suggested again."""
    await suggestions.dismiss(session, caller, customer_id, new.customer_id)


@router.post("/merges/{merge_id}/undo", operation_id="merge_undo")
async def merge_undo(session: Session, caller: Caller, merge_id: UUID) -> MergeUndone:
    """They are two after all. Merges may be undone in any order."""
    merge = await unmerging.undo(session, caller, merge_id)
    return MergeUndone(kept_id=merge.kept_id, merged_id=merge.merged_id)


@router.get("/contacts/{identity_id}/move-preview", operation_id="contact_move_preview")
async def contact_move_preview(session: Session, caller: Caller, identity_id: UUID) -> MovePreview:
    """What would go along with the contact."""
    return await joining.preview(session, caller, identity_id)


@router.post("/contacts/{identity_id}/move", operation_id="contact_move")
async def contact_move(session: Session, caller: Caller, identity_id: UUID, new: MoveNew) -> MoveOut:
    """Give a contact, with what was said through it, to another customer, or make a customer of it."""
    return MoveOut(customer_id=await joining.give(session, caller, identity_id, to=new.customer_id))
