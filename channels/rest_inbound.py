"""REST of raw events: posting to an API channel, listing what could not be understood, replaying it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Path, Request, Response

from app.agents.deps import Admin, Source
from app.core import idempotency, paging
from app.core.deps import Session
from app.core.errors import Conflict, Invalid
from app.core.paging import Page
from channels import accounts, inbound
from channels.api.parse import to_raw
from channels.api.schema import InboundPayload
from channels.models import Inbound
from channels.schemas import InboundAccepted, InboundOut, InboundState

_PREVIEW = 500
InboundId = Annotated[int, Path(ge=1, lt=2**63)]

router = APIRouter(tags=["Inbound"], route_class=idempotency.Route)


@router.post("/channels/{channel_id}/inbound", status_code=202)
async def inbound_create(
    channel_id: UUID,
    body: InboundPayload,
    request: Request,
    later: BackgroundTasks,
    caller: Source,
    session: Session,
) -> InboundAccepted:
    """A customer's message for an API channel (scope `inbound`). The same `event_id` again is harmless."""
    channel = await accounts.get(session, channel_id)
    if channel.kind != "api":
        raise Invalid("Messages can be posted only to channels of the kind `api`.", field="channel_id")
    event = to_raw(body)
    stored = await inbound.store(session, channel_id, [event])
    later.add_task(_wake, request, channel.kind)
    if stored:
        return InboundAccepted(event_id=stored[0], duplicate=False)
    known = await inbound.find(session, channel_id=channel_id, key=event.key)
    if known is None:
        raise Conflict("The event is being stored by another call; try again.")
    return InboundAccepted(event_id=known.id, duplicate=True)


async def _wake(request: Request, kind: str = "") -> None:
    """Wake whoever understands events of this kind of channel (left out: any). Runs after the commit."""
    if request.app.state.inbox_wake is not None:
        request.app.state.inbox_wake(kind)


@router.get("/inbound")
async def inbound_list(
    caller: Admin,
    session: Session,
    state: InboundState = "quarantined",
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Page[InboundOut]:
    """Raw events of a state, the newest first. Administrators only."""
    before = paging.decode(cursor, length=1)[0] if cursor else None
    if before is not None and not isinstance(before, int):
        raise Invalid("`cursor` must be the `next` of a page of the same list.", field="cursor")
    rows = await inbound.list_some(session, state=state, before=before, limit=limit + 1)
    more = paging.encode([rows[limit - 1].id]) if len(rows) > limit else None
    return Page(items=[_shape(row) for row in rows[:limit]], next=more)


def _shape(row: Inbound) -> InboundOut:
    preview = bytes(row.payload[:_PREVIEW]).decode("utf-8", "replace")
    names = ("id", "channel_id", "key", "state", "error", "attempts", "received_at")
    values = {name: getattr(row, name) for name in names}
    return InboundOut.model_validate(values | {"payload_preview": preview})


@router.get(
    "/inbound/{inbound_id}/payload",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The bytes as they came."}},
)
async def inbound_payload(inbound_id: InboundId, caller: Admin, session: Session) -> Response:
    """The event as the platform sent it, as a file to save. Administrators only."""
    event = await inbound.get(session, inbound_id)
    return Response(
        event.payload,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="inbound-{inbound_id}.bin"'},
    )


@router.post("/inbound/{inbound_id}/replay")
async def inbound_replay(
    inbound_id: InboundId, request: Request, later: BackgroundTasks, caller: Admin, session: Session
) -> InboundOut:
    """Try to understand the event again. Administrators only."""
    event = await inbound.replay(session, inbound_id)
    later.add_task(_wake, request)
    return _shape(event)
