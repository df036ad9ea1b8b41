"""The site chat's public endpoints, `/widget/v1/…`: no login, a signed visitor token, open CORS."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, WebSocket
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.core.deps import Db
from app.core.errors import Invalid, NotFound
from app.web import widget_files as files
from app.web import widget_history as history
from app.web import widget_inbound as inbound
from app.web import widget_limits as limits
from app.web import widget_live, widget_pages
from app.web import widget_schemas as schemas
from app.web import widget_visitors as visitors
from app.web.widget_cors import PREFLIGHT, OpenRoute
from app.web.widget_history import PublicFile, PublicMessage
from app.web.widget_hub import hub
from app.web.widget_schemas import MessageIn, MessagesOut, SessionIn, SessionOut
from app.web.widget_visitors import HEADER, Chat, Visitor
from channels.webchat.parse import MessageEvent
from channels.webchat.settings import WebchatSettings
from dialogs import file_store

router = APIRouter(route_class=OpenRoute, tags=["Site chat"])
BASE = "/widget/v1/{channel_id}"

InHeader = Annotated[str | None, Header(alias=HEADER, description="The visitor's token.")]
InQuery = Annotated[str | None, Query(alias="token", description="The token, where no header can be sent.")]


router.routes.extend(widget_pages.routes)


@router.post(f"{BASE}/session")
async def begin_widget_session(
    channel_id: UUID, body: SessionIn, request: Request, database: Db
) -> SessionOut:
    """Begin or continue a visit."""
    known = _visitor(request, channel_id, body.token) if body.token else None
    limits.take(request, "session", visitor=known.id if known else None)
    visitor = schemas.introduced(known or Visitor(visitors.new_id()), body)
    async with database.transaction() as session:
        chat = await visitors.access_chat(session, channel_id)
        found, more = await _page(session, chat, visitor) if known else ([], False)
        if body.link_token:
            await inbound.store(session, channel_id, schemas.link_event(visitor, body.link_token))
    if body.link_token:
        inbound.wake(request.app)
    return SessionOut(
        token=visitors.token(request.app.state.box, channel_id, visitor),
        visitor_id=visitor.id,
        name=visitor.name,
        email=visitor.email,
        title=chat.settings.title,
        settings=schemas.look(chat.settings, max_file_bytes=_max_file(chat.settings, request)),
        messages=found,
        has_more=more,
        cursor=found[-1].seq if found else 0,
    )


@router.get(f"{BASE}/messages")
async def list_widget_messages(
    channel_id: UUID,
    request: Request,
    database: Db,
    token: InHeader = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> MessagesOut:
    """The visitor's newest messages, or those before a number, oldest first."""
    visitor = _visitor(request, channel_id, token)
    limits.take(request, "read", visitor=visitor.id)
    async with database.transaction() as session:
        chat = await visitors.access_chat(session, channel_id)
        found, more = await _page(session, chat, visitor, before=before)
    return MessagesOut(messages=found, has_more=more)


@router.post(f"{BASE}/messages", status_code=201)
async def write_widget_message(
    channel_id: UUID, body: MessageIn, request: Request, database: Db, token: InHeader = None
) -> PublicMessage:
    """Write to us. Answered when it is safely stored; its number comes by the websocket."""
    visitor = _visitor(request, channel_id, token)
    limits.take(request, "message", visitor=visitor.id)
    schemas.text(body)
    async with database.transaction() as session:
        await visitors.access_chat(session, channel_id)
        event = await inbound.find_message(
            session, channel_id, visitor_id=visitor.id, client_key=str(body.client_key)
        )
        if event is None:
            event = await _event(session, channel_id, visitor, body)
            await inbound.store(session, channel_id, event)
    inbound.wake(request.app)
    hub(request.app).expect(channel_id, visitor.id)
    return schemas.echo(event, channel_id)


@router.post(f"{BASE}/files", status_code=201)
async def upload_widget_file(
    channel_id: UUID, request: Request, database: Db, header: InHeader = None, token: InQuery = None
) -> PublicFile:
    """Upload a file (multipart, field `file`) for a message to come."""
    visitor = _visitor(request, channel_id, header or token)
    limits.take(request, "file", visitor=visitor.id)
    async with database.transaction() as session:
        chat = await visitors.access_chat(session, channel_id)
    name, data = await files.receive(request, limit=_max_file(chat.settings, request))
    async with database.transaction() as session:
        row = await files.keep(
            session,
            request.app.state.files,
            channel_id=channel_id,
            visitor_id=visitor.id,
            name=name,
            data=data,
        )
        return history.public_file(row, channel_id)


@router.get(f"{BASE}/files/{{file_id}}", response_class=Response)
async def get_widget_file(
    channel_id: UUID,
    file_id: UUID,
    request: Request,
    database: Db,
    header: InHeader = None,
    token: InQuery = None,
) -> Response:
    """A file of the visitor's thread: safe pictures to be shown, the rest as a download."""
    visitor = _visitor(request, channel_id, header or token)
    limits.take(request, "read", visitor=visitor.id)
    async with database.transaction() as session:
        await visitors.access_chat(session, channel_id)
        file = await history.access_file(
            session, channel_id=channel_id, visitor_id=visitor.id, file_id=file_id
        )
    if file is None:
        raise NotFound
    return await file_store.answer(request.app.state.files, file, download=False)


@router.websocket(f"{BASE}/live")
async def widget_live_socket(
    socket: WebSocket,
    channel_id: UUID,
    token: Annotated[str | None, Query()] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> None:
    """News of the visitor's thread. The token comes in the address or in the first message."""
    await widget_live.serve(socket, channel_id, token=token, after=after)


@router.options("/widget/v1/{path:path}", include_in_schema=False)
async def allow_widget_calls(path: str) -> Response:
    """The preflight: any page may call, with these headers."""
    return Response(status_code=204, headers=PREFLIGHT)


def _visitor(request: Request, channel_id: UUID, token: str | None) -> Visitor:
    return visitors.visitor(request.app.state.box, channel_id, token)


def _max_file(settings: WebchatSettings, request: Request) -> int:
    most: int = request.app.state.settings.max_file_bytes
    return min(settings.max_file_mb * 1024 * 1024, most)


async def _page(
    session: AsyncSession, chat: Chat, visitor: Visitor, *, before: int | None = None
) -> tuple[list[PublicMessage], bool]:
    return await history.page(
        session,
        channel_id=chat.id,
        visitor_id=visitor.id,
        names=chat.settings.agent_names,
        before=before,
    )


async def _event(session: AsyncSession, channel_id: UUID, visitor: Visitor, body: MessageIn) -> MessageEvent:
    ids = list(dict.fromkeys(body.attachment_ids))
    uploads = await history.access_uploads(session, channel_id=channel_id, visitor_id=visitor.id, ids=ids)
    if len(uploads) < len(ids):
        raise Invalid("A file is not one you uploaded, or was sent already.", field="attachment_ids")
    return schemas.message_event(visitor, body, uploads)
