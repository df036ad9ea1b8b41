"""Keeping uploaded files and giving files out so that a browser never runs them."""

from typing import Protocol
from urllib.parse import quote
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response, StreamingResponse

from app.core.errors import NotFound, TooLarge
from app.core.files import Files, new_key
from channels.base import Kind
from dialogs.models import Attachment

_SHOWN = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/wav",
        "audio/webm",
        "video/mp4",
        "video/webm",
        "video/quicktime",
    }
)
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"%PDF-": "application/pdf",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=86400, immutable",
}


class Upload(Protocol):
    """What we need of an uploaded file."""

    filename: str | None
    content_type: str | None

    async def read(self, size: int = -1) -> bytes: ...


async def keep(
    session: AsyncSession,
    files: Files,
    upload: Upload,
    *,
    uploaded_by: UUID | None,
    limit: int,
    identity_id: UUID | None = None,
) -> Attachment:
    """Store an upload as an attachment without a message; raises `TooLarge`."""
    data = await upload.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"A file may have at most {limit // 1024 // 1024} MB.")
    name = (upload.filename or "file").replace("\x00", "").replace("/", "_")[-200:]
    mime = sniff(data, claimed=upload.content_type or "")
    key = new_key(name)
    await files.put(key, data)
    row = Attachment(
        uploaded_by=uploaded_by,
        identity_id=identity_id,
        kind=kind_of(mime, name),
        name=name,
        mime=mime,
        size=len(data),
        state="stored",
        file_key=key,
    )
    session.add(row)
    await session.flush()
    return row


def sniff(data: bytes, *, claimed: str) -> str:
    """The MIME type by the first bytes where they tell, else the claimed one when it is harmless."""
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    if data[:4] == b"RIFF" and data[8:12] in (b"WEBP", b"WAVE"):
        return "image/webp" if data[8:12] == b"WEBP" else "audio/wav"
    if data[4:8] == b"ftyp":
        return claimed if claimed.startswith(("video/", "audio/")) else "video/mp4"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return claimed if claimed in ("audio/webm", "video/webm") else "video/webm"
    claimed = claimed.split(";")[0].strip().lower()
    if not claimed.isascii() or "/" not in claimed or claimed.startswith("image/"):
        return "application/octet-stream"
    return claimed[:100]


def kind_of(mime: str, name: str = "") -> Kind:
    """What an uploaded file is shown as; a recording of the console's own is a voice message."""
    if mime in _SHOWN and mime.startswith("image/"):
        return "image"
    if name.startswith("voice-message."):
        return "voice"
    if mime.startswith("video/"):
        return "video"
    return "audio" if mime.startswith("audio/") else "document"


async def answer(files: Files, row: Attachment, *, download: bool) -> Response:
    """The file as an answer; what a browser could run is a download of unknown bytes."""
    if row.state != "stored" or row.file_key is None:
        raise NotFound("The file is not here, or not here yet.")
    shown = row.mime in _SHOWN and not download
    disposition = "inline" if shown else "attachment"
    headers = {
        **_HEADERS,
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(row.name or 'file', safe='')}",
    }
    if row.size is not None:
        headers["Content-Length"] = str(row.size)
    media_type = row.mime if row.mime in _SHOWN else "application/octet-stream"
    return StreamingResponse(files.stream(row.file_key), media_type=media_type, headers=headers)


async def avatar(files: Files, key: str) -> Response:
    """A customer's picture."""
    data = await files.get(key)
    mime = sniff(data, claimed="")
    media_type = mime if mime in _SHOWN else "application/octet-stream"
    return Response(data, media_type=media_type, headers=_HEADERS)
