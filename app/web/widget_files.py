"""Files of the site chat: taken from visitors within limits. What a file is, its first bytes say."""

from collections.abc import AsyncGenerator
from uuid import UUID

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.core.errors import Invalid, TooLarge
from app.core.files import Files
from app.web import widget_history as history
from dialogs import file_store
from dialogs.models import Attachment

_FORM = 64 * 1024
"""What the frame of a multipart form may add to the file."""


async def receive(request: Request, *, limit: int) -> tuple[str, bytes]:
    """Name and bytes of the form's `file`, read no further than `limit`; raises `TooLarge`, `Invalid`."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Invalid("Send the file as multipart/form-data, in the field `file`.")
    length = request.headers.get("content-length", "0")
    if limit <= 0 or (length.isdecimal() and int(length) > limit + _FORM):
        raise TooLarge(f"A file may have at most {limit} bytes.", limit=limit)
    parser = MultiPartParser(request.headers, _bounded(request, limit + _FORM), max_files=1, max_fields=5)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise Invalid("The form cannot be read.") from error
    try:
        return await _file_of(form.get("file"), limit)
    finally:
        await form.close()


async def _file_of(file: object, limit: int) -> tuple[str, bytes]:
    if not isinstance(file, UploadFile):
        raise Invalid("The form has no file in the field `file`.")
    data = await file.read()
    if len(data) > limit:
        raise TooLarge(f"A file may have at most {limit} bytes.", limit=limit)
    if not data:
        raise Invalid("The file is empty.")
    return file_store.clean_name(file.filename or ""), data


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"A file may have at most {limit - _FORM} bytes.", limit=limit - _FORM)
        yield part


async def keep(
    session: AsyncSession, store: Files, *, channel_id: UUID, visitor_id: str, name: str, data: bytes
) -> Attachment:
    """Store an upload that waits for its message."""
    ref = history.upload_ref(channel_id, visitor_id)
    return await file_store.store(session, store, data, name=name, mime=file_store.sniff(data), ref=ref)
