"""Mails too large to be stored: what is kept of them instead, and how it is read back.

Kept are the headers, the beginning of the first text, and one header line of ours with the size and
the names of what was left out. The result is a mail like any other.
"""

import base64
import json
import re
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from channels.base import File
from channels.email import headers, parts
from channels.email.charsets import clean, decode

HEADER = "X-Otklik-Oversize"
EXCERPT_BYTES = 200_000
MAX_FILES = 50

_BODY_FIELDS = re.compile(
    rb"(?im)^(?:content-type|content-transfer-encoding|content-disposition|mime-version|x-otklik-oversize):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*"
)


def fetch(client: Any, uid: int, size: int) -> bytes:
    """The stand-in for mail `uid` of the folder that `client`, an IMAPClient, has open."""
    found = client.fetch([uid], ["BODY.PEEK[HEADER]", "BODYSTRUCTURE"])[uid]
    section, files = outline(found[b"BODYSTRUCTURE"])
    head = _BODY_FIELDS.sub(b"", _lines(found[b"BODY[HEADER]"])) + _note(size, files)
    if not section:
        return head + b"\n"
    wanted = [f"BODY.PEEK[{section}]<0.{EXCERPT_BYTES}>"]
    single = section == "TEXT"
    answer = client.fetch([uid], wanted if single else [*wanted, f"BODY.PEEK[{section}.MIME]"])[uid]
    start = f"BODY[{section}]".encode()
    text = next((bytes(value) for key, value in answer.items() if key.startswith(start)), b"")
    mime = found[b"BODY[HEADER]"] if single else answer.get(f"BODY[{section}.MIME]".encode(), b"")
    about = b"".join(match[0] for match in _BODY_FIELDS.finditer(_lines(mime)))
    return head + about + b"\n" + text


def _lines(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").rstrip() + b"\n"


def _note(size: int, files: list[dict[str, Any]]) -> bytes:
    note = json.dumps({"size": size, "files": files[:MAX_FILES]}).encode()
    return HEADER.encode() + b": " + base64.b64encode(note) + b"\n"


def outline(structure: Any) -> tuple[str, list[dict[str, Any]]]:
    """Section of the first text (plain before HTML) and the files of a BODYSTRUCTURE."""
    texts: dict[bytes, str] = {}
    files: list[dict[str, Any]] = []
    waiting = [(structure, "")]
    while waiting:
        part, section = waiting.pop(0)
        if part.is_multipart:
            inner = enumerate(part[0], 1)
            waiting += [(child, f"{section}.{number}".lstrip(".")) for number, child in inner]
            continue
        main, sub = bytes(part[0]).lower(), bytes(part[1]).lower()
        if main == b"text" and sub in (b"plain", b"html") and sub not in texts:
            texts[sub] = section or "TEXT"
        else:
            mime = (main + b"/" + sub).decode("ascii", "replace")
            files.append({"name": _name(part), "mime": mime, "size": part[6]})
    return texts.get(b"plain") or texts.get(b"html") or "", files


def _name(part: Any) -> str:
    parameters = [item for group in (part[2], _disposition(part[-3:])) for item in (group or ())]
    pairs = zip(parameters[::2], parameters[1::2], strict=False)
    named = {bytes(key).lower(): bytes(value) for key, value in sorted(pairs) if isinstance(key, bytes)}
    for wanted in (b"filename", b"name"):
        if wanted in named:
            return headers.decoded(named[wanted].decode("utf-8", "surrogateescape"))
        # RFC 2231: `filename*=utf-8''%D1…`, perhaps in pieces `filename*0*=`.
        pieces = b"".join(value for key, value in named.items() if key.startswith(wanted + b"*"))
        if pieces:
            charset, _, content = pieces.partition(b"'")
            return decode(unquote_to_bytes(content.partition(b"'")[2]), charset.decode("ascii", "replace"))
    return ""


def _disposition(fields: Any) -> tuple[Any, ...]:
    """Parameters of the disposition: `(b"attachment", (b"filename", b"x"))` somewhere at the end."""
    for entry in fields:
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], tuple):
            return entry[1]
    return ()


def read(message: "Message[str, str]") -> tuple[int | None, list[File]]:
    """Size of the whole mail and what was left out; None for a mail that is whole."""
    try:
        note = json.loads(base64.b64decode(headers.raw(message, HEADER) or "bnVsbA=="))
    except (ValueError, RecursionError):
        return None, []
    if not isinstance(note, dict) or not isinstance(note.get("size"), int):
        return None, []
    named = note.get("files")
    listed = named[:MAX_FILES] if isinstance(named, list) else []
    return note["size"], [_file(entry) for entry in listed if isinstance(entry, dict)]


def _file(entry: dict[str, Any]) -> File:
    mime = parts.plain_mime(str(entry.get("mime", "")))
    size = entry.get("size")
    return File(
        kind=parts.kind(mime),
        ref={"omitted": True},
        name=clean(str(entry.get("name", "")))[:150],
        mime=mime,
        size=size if isinstance(size, int) and 0 <= size < 2**53 else None,
    )
