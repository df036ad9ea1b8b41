"""REST of dialogs and messages."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.agents.deps import Caller
from app.core import idempotency, paging
from app.core.deps import Config, Session
from dialogs import access, inbox_view, lifecycle, messages, queries, timeline
from dialogs.models import Dialog
from dialogs.schemas import (
    Assignment,
    DialogRow,
    DialogStart,
    DialogStatus,
    MessageNew,
    MessageOut,
    ReadMark,
    Snooze,
)

router = APIRouter(tags=["Dialogs"], route_class=idempotency.Route)


@router.get("/dialogs", operation_id="dialogs_list", response_model=paging.Page[DialogRow])
async def dialogs_list(
    session: Session,
    caller: Caller,
    view: inbox_view.View = "all",
    status: DialogStatus = "open",
    channel_id: UUID | None = None,
    sort: inbox_view.Sort | None = None,
    q: Annotated[str, Query(max_length=200, description="Part of a name, mail, phone, or `#number`.")] = "",
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response:
    """Dialogs of a view. Open ones: who waits longest first; others: newest first."""
    items, following = await inbox_view.page(
        session,
        caller,
        view=view,
        status=status,
        channel_id=channel_id,
        sort=sort or ("waiting" if status == "open" else "recent"),
        words=q.replace("\x00", ""),
        cursor=cursor,
        limit=limit,
    )
    return paging.answer(items, following=following)


async def _row(session: Session, caller: Caller, dialog_id: UUID) -> DialogRow:
    """The dialog as it is now; a change may have taken it out of the caller's own sight."""
    await session.flush()
    session.expire_all()
    rows = await queries.dialog_rows(
        session,
        agent_id=caller.agent_id,
        where=[Dialog.id == dialog_id],
        order=[Dialog.id.asc()],
        limit=1,
    )
    return rows[0]


@router.post("/dialogs", operation_id="dialog_start", status_code=201)
async def dialog_start(session: Session, caller: Caller, new: DialogStart) -> DialogRow:
    """Write to a customer first: gives his open dialog, or opens one."""
    return await _row(session, caller, await lifecycle.start(session, caller, new))


@router.get("/dialogs/{dialog_id}", operation_id="dialog_get")
async def dialog_get(session: Session, caller: Caller, dialog_id: UUID) -> DialogRow:
    await access.access_dialog(session, caller, dialog_id)
    return await _row(session, caller, dialog_id)


@router.patch("/dialogs/{dialog_id}", operation_id="dialog_assign")
async def dialog_assign(session: Session, caller: Caller, dialog_id: UUID, new: Assignment) -> DialogRow:
    """Give the dialog to an agent and/or a team; the answer is the last the caller sees of it, perhaps."""
    changes = {name: getattr(new, name) for name in new.model_fields_set}
    await lifecycle.assign(session, caller, dialog_id, changes)
    return await _row(session, caller, dialog_id)


@router.post("/dialogs/{dialog_id}/snooze", operation_id="dialog_snooze")
async def dialog_snooze(session: Session, caller: Caller, dialog_id: UUID, new: Snooze) -> DialogRow:
    """Put away until a time, or until the customer writes."""
    await lifecycle.snooze(session, caller, dialog_id, new.until)
    return await _row(session, caller, dialog_id)


@router.post("/dialogs/{dialog_id}/close", operation_id="dialog_close")
async def dialog_close(session: Session, caller: Caller, dialog_id: UUID) -> DialogRow:
    await lifecycle.close(session, caller, dialog_id)
    return await _row(session, caller, dialog_id)


@router.post("/dialogs/{dialog_id}/reopen", operation_id="dialog_reopen")
async def dialog_reopen(session: Session, caller: Caller, dialog_id: UUID) -> DialogRow:
    await lifecycle.reopen(session, caller, dialog_id)
    return await _row(session, caller, dialog_id)


@router.post("/dialogs/{dialog_id}/read", operation_id="dialog_read")
async def dialog_read(
    session: Session, caller: Caller, settings: Config, dialog_id: UUID, new: ReadMark
) -> DialogRow:
    """Say how many of the dialog's inbound messages you have seen."""
    await lifecycle.read(session, caller, dialog_id, new.inbound_count, settings=settings)
    return await _row(session, caller, dialog_id)


@router.get("/dialogs/{dialog_id}/facts", operation_id="dialog_facts")
async def dialog_facts(session: Session, caller: Caller, dialog_id: UUID) -> list[dict[str, Any]]:
    """What happened to the dialog, oldest first."""
    await access.access_dialog(session, caller, dialog_id)
    return await timeline.of_dialog(session, dialog_id)


@router.post("/dialogs/{dialog_id}/messages", operation_id="message_post", status_code=201)
async def message_post(
    session: Session, caller: Caller, settings: Config, dialog_id: UUID, new: MessageNew
) -> MessageOut:
    """Answer the customer, or write a note for the staff."""
    message_id = await messages.post(session, caller, dialog_id, new, settings=settings)
    return await queries.message_now(session, message_id)


@router.post("/messages/{message_id}/cancel", operation_id="message_cancel")
async def message_cancel(session: Session, caller: Caller, message_id: UUID) -> MessageOut:
    """Take back an answer that has not left yet."""
    await messages.cancel(session, caller, message_id)
    return await queries.message_now(session, message_id)


@router.post("/messages/{message_id}/resend", operation_id="message_resend", status_code=201)
async def message_resend(session: Session, caller: Caller, settings: Config, message_id: UUID) -> MessageOut:
    """Send a failed message, or one whose outcome is unknown, again: as a new message."""
    return await queries.message_now(
        session, await messages.resend(session, caller, message_id, settings=settings)
    )
