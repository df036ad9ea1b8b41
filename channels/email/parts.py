"""The MIME structure of a mail: its leaves, their bytes, its body and its files. Never raises but
`BadEvent`; knows nothing of what a mail means.
"""

import html
import re
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from urllib.parse import unquote_to_bytes

from channels.base import BadEvent, Kind
from channels.email import headers
from channels.email.charsets import clean, decode

MAX_HEADER_BYTES = 262_144
MAX_PARAMETERS = 2_048
MAX_PARTS = 200
MAX_DEPTH = 20
MAX_MULTIPARTS = 150
MAX_TEXT = 200_000

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_MULTIPART = re.compile(rb"(?i)content-type:\s{0,9}[\"']?multipart/")
_MIME = re.compile(r"[a-z0-9.+_-]{1,40}/[a-z0-9.+_-]{1,80}")
_UNSAFE_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]+')
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_EXTENSIONS = {"text/calendar": "ics", "message/rfc822": "eml", "text/html": "html", "text/plain": "txt"}


class _Policy(Compat32):
    """Plain strings for headers, capped: parsing their parameters takes time that grows with the square.

    `policy.default` is not used: its header parser raises on real mails and is slower still.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        # NUL in a charset makes the library raise.
        limit = MAX_PARAMETERS if name.lower().startswith("content-") else headers.MAX_VALUE
        return name, value[:limit].replace("\x00", "")

    def header_fetch_parse(self, name: str, value: str) -> str:
        return (
            value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )


_POLICY = _Policy()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that holds content. `index` is its place in the mail and names it for `extract`."""

    index: int
    part: "Message[str, str]"
    alternative: bool
    """Stands beside another form of the same content."""

    @property
    def mime(self) -> str:
        mime = plain_mime(self.part.get_content_type())
        # A multipart whose boundary is missing holds plain text and nothing else.
        return "text/plain" if mime.startswith("multipart/") else mime


@dataclass(slots=True)
class Body:
    """Texts of a mail and the leaves that are files."""

    plain: str = ""
    html: str = ""
    files: list[Leaf] = field(default_factory=list)
    html_only: bool = False
    """Some of the HTML is nowhere in `plain`."""


def split(payload: bytes) -> tuple[bytes, bytes]:
    """Header block and body."""
    match = _HEADER_END.search(payload)
    return (payload[: match.start()], payload[match.end() :]) if match else (payload, b"")


def open_mail(payload: bytes) -> "Message[str, str]":
    """Parse a mail; raises `BadEvent` when its structure is beyond the limits."""
    if len(split(payload)[0]) > MAX_HEADER_BYTES:
        raise BadEvent("header block is too large")
    if sum(1 for _ in _MULTIPART.finditer(payload)) > MAX_MULTIPARTS:
        raise BadEvent("too many nested parts")
    try:
        return BytesParser(policy=_POLICY).parsebytes(payload)
    except (RecursionError, ValueError, LookupError, TypeError) as error:
        raise BadEvent(f"not a readable mail: {type(error).__name__}") from error


def leaves(message: "Message[str, str]") -> list[Leaf]:
    """Parts with content in their order; raises `BadEvent` beyond the limits."""
    found: list[Leaf] = []
    waiting = [(message, 0, False)]
    while waiting:
        part, depth, alternative = waiting.pop()
        if depth > MAX_DEPTH or len(found) >= MAX_PARTS:
            raise BadEvent("too many parts")
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            inside = alternative or part.get_content_subtype() == "alternative"
            children = [child for child in part.get_payload() if isinstance(child, Message)]
            waiting += [(child, depth + 1, inside) for child in reversed(children)]
        else:
            found.append(Leaf(len(found), part, alternative))
    return found


def content(leaf: Leaf) -> bytes:
    """Bytes of a leaf, transfer encoding undone; a mail in the mail as it came."""
    try:
        if leaf.part.is_multipart():
            children = leaf.part.get_payload()
            return b"\n".join(child.as_bytes() for child in children if isinstance(child, Message))
        data = leaf.part.get_payload(decode=True)
    except Exception:  # broken encodings raise whatever they like
        data = None
    return data if isinstance(data, bytes) else b""


def text(leaf: Leaf) -> str:
    """Text of a leaf with Unix line ends."""
    value = decode(content(leaf), parameter(leaf.part, "charset"))
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if leaf.mime == "text/plain" and parameter(leaf.part, "format").lower() == "flowed":
        return _unflow(value, delete_space=parameter(leaf.part, "delsp").lower() == "yes")
    return value


def _unflow(value: str, *, delete_space: bool) -> str:
    """Join soft line breaks (RFC 3676)."""
    lines: list[str] = []
    depth_before, soft = -1, False
    for line in value.split("\n"):
        stripped = line.lstrip(">")
        depth = len(line) - len(stripped)
        stripped = stripped.removeprefix(" ")
        if soft and depth == depth_before and stripped != "-- ":
            lines[-1] += stripped
        else:
            lines.append((">" * depth + " " if depth else "") + stripped)
        soft = stripped.endswith(" ") and stripped != "-- "
        depth_before = depth
        if soft and delete_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def parameter(part: "Message[str, str]", name: str) -> str:
    """A parameter of Content-Type; empty when it is missing or broken."""
    try:
        value = part.get_param(name, "")
    except Exception:
        return ""
    return value[2] if isinstance(value, tuple) else str(value)


def filename(leaf: Leaf) -> str:
    """A name that is safe as a file name; made up when there is none but the part is a file."""
    name = _UNSAFE_NAME.sub("_", _declared_name(leaf.part)).strip(" ._")
    if not name:
        subtype = leaf.mime.partition("/")[2]
        extension = _EXTENSIONS.get(leaf.mime) or re.sub(r"[^a-z0-9]", "", subtype.partition("+")[0])[:8]
        name = f"part-{leaf.index}.{extension or 'bin'}"
    return name if len(name) <= 150 else name[:120] + name[-30:]


def _declared_name(part: "Message[str, str]") -> str:
    for header, key in (("content-disposition", "filename"), ("content-type", "name")):
        try:
            value = part.get_param(key, "", header)
        except Exception:
            value = ""
        if isinstance(value, tuple):
            return _extended(value)
        if value:
            return headers.decoded(str(value))
    return ""


def _extended(value: tuple[str | None, str | None, str]) -> str:
    """A value of RFC 2231. The library has undone the percent signs, as Latin-1."""
    charset, _, raw = value
    try:
        return decode(raw.encode("latin-1"), charset or "")
    except UnicodeEncodeError:
        return clean(decode(unquote_to_bytes(raw), charset or ""))


def disposition(part: "Message[str, str]") -> str:
    """`attachment`, `inline` or empty."""
    try:
        return (part.get_content_disposition() or "").strip()
    except Exception:
        return ""


def body(found: list[Leaf]) -> Body:
    """Sort leaves into text, HTML and files."""
    result = Body()
    texts = [leaf for leaf in found if _is_text(leaf)]
    with_html = any(leaf.mime == "text/html" for leaf in texts)
    result.files = [leaf for leaf in found if leaf not in texts and leaf.mime not in _SIGNATURES]
    result.html_only = any(leaf.mime == "text/html" and not leaf.alternative for leaf in texts)
    for leaf in texts:
        value = text(leaf)
        if leaf.mime == "text/html":
            result.html += value
            continue
        result.plain += ("\n\n" if result.plain.strip() else "") + value
        if with_html and not leaf.alternative:
            result.html += f"<pre>{html.escape(value)}</pre>"
    return result


def _is_text(leaf: Leaf) -> bool:
    if leaf.mime not in ("text/plain", "text/html", "text/enriched"):
        return False
    return disposition(leaf.part) != "attachment" and not _declared_name(leaf.part)


def plain_mime(value: str) -> str:
    """A MIME type that is one."""
    return value if _MIME.fullmatch(value) else "application/octet-stream"


def kind(mime: str) -> Kind:
    """How a file of this type is shown. SVG is a program in disguise: a document."""
    main = mime.partition("/")[0]
    if main == "image" and "svg" not in mime:
        return "image"
    return {"video": "video", "audio": "audio"}.get(main, "document")  # type: ignore[return-value]
