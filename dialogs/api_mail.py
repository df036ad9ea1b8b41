"""REST of what only mail has: pictures from the internet, and the mail as it came."""

import html
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.agents.deps import BriefCaller, Caller
from app.core.deps import Db, Session
from app.core.errors import NotFound
from channels.models import Inbound
from dialogs import access, file_store

router = APIRouter(tags=["Dialogs"])

MAX_PICTURE = 5 << 20
_PICTURES = re.compile(r'\sdata-src="([^"]*)"')


@router.get("/messages/{message_id}/picture", operation_id="picture_get", response_class=Response)
async def picture_get(
    request: Request,
    database: Db,
    caller: BriefCaller,
    message_id: UUID,
    url: Annotated[str, Query(max_length=4000, description="Address of a picture as the mail has it.")],
) -> Response:
    """A picture that a mail shows from the internet, fetched by the server: its sender learns no more
    than that it was looked at. Only pictures the mail names, and only from public addresses.
    """
    from channels import outside  # its client takes 3 MB, for whoever looks at such a picture

    async with database.transaction() as session:
        message = await access.access_message(session, caller, message_id)
        named = {html.unescape(found) for found in _PICTURES.findall(message.html or "")}
    if url not in named:
        raise NotFound("The mail shows no such picture.")
    data = await outside.fetch(f"https:{url}" if url.startswith("//") else url, limit=MAX_PICTURE)
    return file_store.picture(data)


@router.get("/messages/{message_id}/raw", operation_id="message_raw", response_class=Response)
async def message_raw(session: Session, caller: Caller, message_id: UUID) -> Response:
    """The message as its platform sent it: of a mail the whole mail, to open in a mail program."""
    message = await access.access_message(session, caller, message_id)
    payload = await session.scalar(select(Inbound.payload).where(Inbound.id == message.inbound_id))
    if payload is None:
        raise NotFound("What came is not kept any more, or this was written here.")
    return file_store.download(payload, name=f"message-{message.seq}.eml")
