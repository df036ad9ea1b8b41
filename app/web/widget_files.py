"""Files of the site chat: taken from visitors within limits, given out so that nothing can run.

What a file is, its first bytes say, never its name. Only raster pictures are shown in a page;
everything else, SVG and HTML above all, is only ever downloaded.
"""

import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import quote
from uuid import UUID

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response, StreamingResponse

from app.core import files
from app.core.errors import Invalid, NotFound, TooLarge
from app.core.files import Files
from app.web import widget_history as history
from channels.base import Kind
from dialogs.models import Attachment

_FORM = 64 * 1024
"""What the frame of a multipart form may add to the file."""

_SIGNS: list[tuple[bytes, str, Kind]] = [
    (rb"\x89PNG\r\n\x1a\n", "image/png", "image"),
    (rb"\xff\xd8\xff", "image/jpeg", "image"),
    (rb"GIF8[79]a", "image/gif", "image"),
    (rb"RIFF.{4}WEBP", "image/webp", "image"),
    (rb"%PDF-", "application/pdf", "document"),
    (rb"PK\x03\x04", "application/zip", "document"),
    (rb"OggS", "audio/ogg", "audio"),
    (rb"ID3|\xff[\xfb\xf3\xf2]", "audio/mpeg", "audio"),
    (rb"RIFF.{4}WAVE", "audio/wav", "audio"),
    (rb".{4}ftypM4A", "audio/mp4", "audio"),
    (rb".{4}ftyp", "video/mp4", "video"),
    (rb"\x1a\x45\xdf\xa3", "video/webm", "video"),
]
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def sniff(head: bytes) -> tuple[str, Kind]:
    """MIME type and kind by the first bytes; unknown ones are a document of no type."""
    for sign, mime, kind in _SIGNS:
        if re.match(sign, head, re.DOTALL):
            return mime, kind
    return "application/octet-stream", "document"


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
    return clean_name(file.filename or ""), data


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"A file may have at most {limit - _FORM} bytes.", limit=limit - _FORM)
        yield part


def clean_name(name: str) -> str:
    """The last part of a name, without control and direction characters, at most 150 characters."""
    last = re.split(r"[/\\]", name)[-1].encode("utf-8", "ignore").decode()
    kept = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    stem, dot, ending = kept.strip().rpartition(".")
    return (f"{stem[:140]}{dot}{ending[:9]}" if stem else kept[:150]).strip() or "file"


async def keep(
    session: AsyncSession, store: Files, *, channel_id: UUID, visitor_id: str, name: str, data: bytes
) -> Attachment:
    """Store an upload that waits for its message."""
    mime, kind = sniff(data[:64])
    key = files.new_key(name)
    await store.put(key, data)
    row = Attachment(
        kind=kind,
        name=name,
        mime=mime,
        size=len(data),
        state="stored",
        file_key=key,
        ref=history.upload_ref(channel_id, visitor_id),
    )
    session.add(row)
    await session.flush()
    return row


async def answer(store: Files, file: Attachment) -> Response:
    """The file: a raster picture to be shown, anything else to be downloaded."""
    if file.state != "stored" or not file.file_key:
        raise NotFound("The file is not there (any more).")
    parts = store.stream(file.file_key)
    first = await anext(parts, b"")
    mime, _ = sniff(first[:64])
    shown = mime in SHOWN
    headers = {
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.name)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=86400, immutable",
    }
    media = mime if shown else "application/octet-stream"
    return StreamingResponse(_whole(first, parts), media_type=media, headers=headers)


async def _whole(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
