"""REST of customers, their threads and files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, UploadFile
from starlette.responses import Response

from app.agents.deps import Caller
from app.core import idempotency, paging
from app.core.deps import Config, Session
from app.core.errors import NotFound
from channels import registry
from channels.models import Channel
from dialogs import access, customers, file_store, linking, queries
from dialogs.customer_schemas import CustomerCard
from dialogs.models import Customer
from dialogs.schemas import (
    AttachmentOut,
    ContactNew,
    CustomerChange,
    CustomerOut,
    LinkNew,
    LinkOut,
    Thread,
)

router = APIRouter()
plain = APIRouter(tags=["Customers"], route_class=idempotency.Route)
files = APIRouter(tags=["Files"])
secret = APIRouter(tags=["Customers"])  # answers hold secrets, which `Idempotency-Key` would store

Words = Annotated[str, Query(max_length=200, description="Part of a name, mail, phone or contact.")]
Seq = Annotated[int | None, Query(description="`seq` of a message.")]


@plain.get("/customers", operation_id="customers_list")
async def customers_list(
    session: Session, caller: Caller, q: Words = "", cursor: paging.Cursor = None, limit: paging.Limit = 50
) -> paging.Page[CustomerOut]:
    """Customers of whom the caller may see a dialog, by name."""
    return await customers.search(session, caller, words=q.replace("\x00", ""), cursor=cursor, limit=limit)


@plain.get("/customers/{customer_id}", operation_id="customer_get")
async def customer_get(session: Session, caller: Caller, customer_id: UUID) -> CustomerCard:
    """The customer with his contacts and dialogs; his tasks: `GET /tasks?customer_id=`.

    Of one who was merged into another, the other's card.
    """
    return await customers.card(session, caller, customer_id)


@plain.patch("/customers/{customer_id}", operation_id="customer_change")
async def customer_change(
    session: Session, caller: Caller, customer_id: UUID, new: CustomerChange
) -> CustomerCard:
    await customers.change(session, caller, customer_id, new)
    return await customers.card(session, caller, customer_id)


@plain.post("/customers/{customer_id}/contacts", operation_id="contact_add", status_code=201)
async def contact_add(session: Session, caller: Caller, customer_id: UUID, new: ContactNew) -> CustomerCard:
    """Write down by hand that a contact is this customer's."""
    await customers.add_contact(session, caller, customer_id, new)
    return await customers.card(session, caller, customer_id)


@secret.post("/customers/{customer_id}/link-tokens", operation_id="link_make", status_code=201)
async def link_make(
    request: Request, session: Session, caller: Caller, customer_id: UUID, new: LinkNew
) -> LinkOut:
    """A one-time deep link: who opens it and writes is this customer.

    The answer holds a secret: an `Idempotency-Key` is not honoured.
    """
    await access.newest_visible(session, caller, customer_id)
    channel = await session.get(Channel, new.channel_id)
    if channel is None:
        raise NotFound
    token, row = await linking.make(session, caller, customer_id=customer_id, channel_id=new.channel_id)
    adapter = await request.app.state.gateway.adapter(session, new.channel_id)
    link = adapter.link(token, channel.info)
    if link is None or not registry.load(channel.kind).capabilities.deep_link:
        raise NotFound("This channel has no deep links.")
    return LinkOut(url=link.url, expires_at=row.expires_at)


@plain.get("/customers/{customer_id}/messages", operation_id="thread_get")
async def thread_get(
    session: Session,
    caller: Caller,
    customer_id: UUID,
    before: Seq = None,
    after: Seq = None,
    limit: paging.Limit = 50,
) -> Thread:
    """A part of the thread over all dialogs and channels: the newest, or before or after a message."""
    newest = await access.newest_visible(session, caller, customer_id)
    items, more = await queries.thread(
        session, customer_id, up_to=newest, before=before, after=after, limit=limit
    )
    return Thread(items=items, has_more=more)


@plain.get("/customers/{customer_id}/avatar", operation_id="avatar_get", response_class=Response)
async def avatar_get(request: Request, session: Session, caller: Caller, customer_id: UUID) -> Response:
    await access.newest_visible(session, caller, customer_id)
    customer = await session.get_one(Customer, customer_id)
    if customer.avatar_key is None:
        raise NotFound("The customer has no picture.")
    return await file_store.avatar(request.app.state.files, customer.avatar_key)


@files.post("/files", operation_id="file_upload", status_code=201)
async def file_upload(
    request: Request, session: Session, caller: Caller, settings: Config, file: UploadFile
) -> AttachmentOut:
    """Upload a file, then name its id in a message.

    An `Idempotency-Key` is not honoured: an upload that no message names is forgotten after a day.
    """
    row = await file_store.keep(
        session, request.app.state.files, file, uploaded_by=caller.agent_id, limit=settings.max_file_bytes
    )
    return queries.attachment(row)


@files.get("/files/{attachment_id}", operation_id="file_get", response_class=Response)
async def file_get(
    request: Request, session: Session, caller: Caller, attachment_id: UUID, download: bool = False
) -> Response:
    """The bytes. Pictures, sound and video may be shown; everything else is a download."""
    row = await access.access_attachment(session, caller, attachment_id)
    return await file_store.answer(request.app.state.files, row, download=download)


for part in (plain, secret, files):
    router.include_router(part)
