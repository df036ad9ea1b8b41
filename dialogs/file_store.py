"""Keeping uploaded files and giving files out so that a browser never runs them."""

import re
import unicodedata
from typing import Any, Protocol
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
_SIGNS: list[tuple[bytes, str]] = [
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF.{4}WEBP", "image/webp"),
    (rb"%PDF-", "application/pdf"),
    (rb"OggS", "audio/ogg"),
    (rb"ID3|\xff[\xfb\xf3\xf2]", "audio/mpeg"),
    (rb"RIFF.{4}WAVE", "audio/wav"),
    (rb".{4}ftypM4A", "audio/mp4"),
    (rb".{4}ftyp", "video/mp4"),
    (rb"\x1a\x45\xdf\xa3", "video/webm"),
]
_AMBIGUOUS = {"video/mp4": ("audio/mp4", "video/quicktime"), "video/webm": ("audio/webm",)}
"""Containers that may hold another kind than their first bytes tell: then the sender is believed."""
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
) -> Attachment:
    """Store an upload as an attachment without a message; raises `TooLarge`."""
    data = await upload.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"A file may have at most {limit} bytes.", limit=limit)
    mime = sniff(data, claimed=upload.content_type or "")
    return await store(
        session, files, data, name=clean_name(upload.filename or ""), mime=mime, uploaded_by=uploaded_by
    )


async def store(
    session: AsyncSession,
    files: Files,
    data: bytes,
    *,
    name: str,
    mime: str,
    uploaded_by: UUID | None = None,
    ref: dict[str, Any] | None = None,
) -> Attachment:
    """Keep the bytes as an attachment that waits for its message. `ref`: of which visitor it is."""
    key = new_key(name)
    await files.put(key, data)
    row = Attachment(
        uploaded_by=uploaded_by,
        ref=ref,
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


def sniff(data: bytes, *, claimed: str = "") -> str:
    """The MIME type by the first bytes where they tell, else the claimed one when it is harmless."""
    claimed = claimed.split(";")[0].strip().lower()
    for sign, mime in _SIGNS:
        if re.match(sign, data[:64], re.DOTALL):
            return claimed if claimed in _AMBIGUOUS.get(mime, ()) else mime
    if not claimed.startswith("application/") or not claimed.isascii():
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


def clean_name(name: str) -> str:
    """The last part of a name, without control and direction characters, at most 150 characters."""
    last = re.split(r"[/\\]", name)[-1].encode("utf-8", "ignore").decode()
    kept = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    stem, dot, ending = kept.strip().rpartition(".")
    return (f"{stem[:140]}{dot}{ending[:9]}" if stem else kept[:150]).strip() or "file"


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


def picture(data: bytes) -> Response:
    """A picture from elsewhere; what is none is not given out."""
    mime = sniff(data)
    if mime not in _SHOWN or not mime.startswith("image/"):
        raise NotFound("This is no picture.")
    return Response(data, media_type=mime, headers=_HEADERS)


def download(data: bytes, *, name: str) -> Response:
    """Bytes to save, never to show."""
    headers = _HEADERS | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(data, media_type="application/octet-stream", headers=headers)


async def avatar(files: Files, key: str) -> Response:
    """A customer's picture."""
    data = await files.get(key)
    mime = sniff(data, claimed="")
    media_type = mime if mime in _SHOWN else "application/octet-stream"
    return Response(data, media_type=media_type, headers=_HEADERS)
