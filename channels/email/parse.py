"""A stored mail understood. Pure: the same bytes and settings give the same events."""

import hashlib
from dataclasses import dataclass
from email.message import Message
from typing import Any

from channels.base import BadEvent, Echo, Event, File, Ignored, InboundMessage, Sender
from channels.email import automatic, headers, html, oversize, parts, quotes, threading
from channels.email.charsets import clean
from channels.email.settings import EmailSettings

LOOP_HEADER = "X-Otklik-Loop"
UNREADABLE = b"X-Otklik-Unreadable:"
IDENTITY_FIELDS = ("message-id", "from", "to", "cc", "date", "subject", "in-reply-to")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whose mail it is."""

    settings: EmailSettings
    secret: str


def content_key(payload: bytes) -> str:
    """Identity of a mail: what its author made, not what servers added on the way or the number the
    mailbox gives it. The same Message-ID with another content is another mail. Never raises.
    """
    head, body = parts.split(payload)
    digest = hashlib.sha256()
    wanted: dict[bytes, bytes] = {}
    unfolded = head.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b" ")
    for line in unfolded.split(b"\n"):
        name, _, value = line.partition(b":")
        wanted.setdefault(name.strip().lower(), b" ".join(value.split()))
    for wanted_name in IDENTITY_FIELDS:
        digest.update(wanted.get(wanted_name.encode(), b"") + b"\0")
    digest.update(body.replace(b"\r\n", b"\n").rstrip())
    return digest.hexdigest()[:40]


def lane(payload: bytes) -> str:
    """Mails of one thread are understood in order. Never raises."""
    try:
        return thread_root(_head(payload), payload)
    except Exception:
        return ""


def _head(payload: bytes) -> "Message[str, str]":
    return parts.open_mail(parts.split(payload)[0][: parts.MAX_HEADER_BYTES] + b"\n\n")


def thread_root(message: "Message[str, str]", payload: bytes) -> str:
    """Oldest Message-ID that the mail names, its own if it names none."""
    for name in ("references", "in-reply-to", "message-id"):
        found = headers.ids(message, name)
        if found:
            return found[0]
    return f"<{content_key(payload)}>"


def parse(payload: bytes, box: Mailbox) -> list[Event]:
    """Events of a mail; raises `BadEvent`."""
    if payload.startswith(UNREADABLE):
        raise BadEvent("the mail server could not give this mail")
    message = parts.open_mail(payload)
    leaves = parts.leaves(message)
    recipients = headers.addresses(
        message, "to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to"
    )
    ours = threading.from_recipients(
        (address.email for address in recipients), secret=box.secret, domain=box.settings.domain
    )
    told = automatic.report(message, leaves, secret=box.secret, ours=ours)
    if told:
        return [told]
    sender = _sender(message)
    if headers.text(message, LOOP_HEADER) == threading.loop_mark(box.secret) or _is_own(
        sender.email, box.settings
    ):
        return [_own_mail(message, leaves, payload, box)]
    return [_inbound(message, leaves, payload, sender, ours)]


def _sender(message: "Message[str, str]") -> headers.Address:
    for name in ("from", "sender", "reply-to", "return-path"):
        found = headers.addresses(message, name)
        if found:
            return found[0]
    raise BadEvent("the mail names no sender")


def _is_own(address: str, settings: EmailSettings) -> bool:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" == settings.address or address == settings.address


def _own_mail(message: "Message[str, str]", leaves: list[parts.Leaf], payload: bytes, box: Mailbox) -> Event:
    """Our mail back in our mailbox. Only our signed Message-ID proves that it is ours: anybody can
    write our address into From, so without it nothing is shown.
    """
    own_id = next(iter(headers.ids(message, "message-id")), "")
    key = threading.key_of(own_id, box.secret)
    if key is None:
        return Ignored("our own address as sender")
    to = next(iter(headers.addresses(message, "to")), None)
    recipient = Sender(scope="email", external_id=to.email, name=to.name, email=to.email) if to else None
    text, _, _, _ = _content(leaves)
    return Echo(
        chat=thread_root(message, payload),
        external_id=own_id,
        text=text,
        recipient=recipient,
        key=key,
        occurred_at=headers.date(message),
    )


def _inbound(
    message: "Message[str, str]",
    leaves: list[parts.Leaf],
    payload: bytes,
    sender: headers.Address,
    ours: list[str],
) -> InboundMessage:
    text, page, files, extra = _content(leaves)
    own_ids = headers.ids(message, "message-id")[:1]
    subject = headers.text(message, "subject")
    size, omitted = oversize.read(message)
    return InboundMessage(
        chat=thread_root(message, payload),
        external_id=content_key(payload),
        sender=Sender(scope="email", external_id=sender.email, name=sender.name, email=sender.email),
        text=text or ("" if files or omitted or page else subject),
        html=page,
        files=files + omitted,
        occurred_at=headers.received(message) or headers.date(message),
        aliases=own_ids,
        references=_references(message, ours),
        automatic=automatic.is_automatic(message),
        meta=_meta(message, sender, own_ids, subject)
        | ({"signed": ours} if ours else {})
        | extra
        | ({} if size is None else {"oversize": size}),
    )


def _references(message: "Message[str, str]", ours: list[str]) -> list[str]:
    found = ours + headers.ids(message, "in-reply-to") + headers.ids(message, "references")[::-1]
    return list(dict.fromkeys(found))


def _meta(
    message: "Message[str, str]", sender: headers.Address, own_ids: list[str], subject: str
) -> dict[str, Any]:
    named = headers.ids(message, "references") or headers.ids(message, "in-reply-to")
    meta: dict[str, Any] = {
        "subject": subject[:500],
        "from": sender.email,
        "to": [str(address) for address in headers.addresses(message, "to")],
        "cc": [str(address) for address in headers.addresses(message, "cc")],
        "message_id": own_ids[0] if own_ids else "",
        "references": named,
    }
    reply_to = next(iter(headers.addresses(message, "reply-to")), None)
    if reply_to and reply_to.email != sender.email:
        meta["reply_to"] = reply_to.email
    return meta


def _content(leaves: list[parts.Leaf]) -> tuple[str, str, list[File], dict[str, Any]]:
    """Visible text, safe HTML, files and what `meta` has to say about the text."""
    body = parts.body(leaves)
    page = html.read(body.html) if body.html.strip() else html.Page("", "")
    text = body.plain if body.plain.strip() and not body.html_only else page.text or body.plain
    text = text.strip("\n").rstrip()
    extra: dict[str, Any] = {}
    if len(text) > parts.MAX_TEXT:
        text, extra["truncated"] = text[: parts.MAX_TEXT], True
    folded = quotes.fold(text)
    if folded.quoted:
        extra |= {"full_text": text, "quoted": folded.quoted}
    return folded.visible.strip("\n"), page.html, [_file(leaf, page.cids) for leaf in body.files], extra


def _file(leaf: parts.Leaf, cids: frozenset[str]) -> File:
    content_id = clean(headers.raw(leaf.part, "content-id")).strip().strip("<>")
    return File(
        kind=parts.kind(leaf.mime),
        ref={"part": leaf.index},
        name=parts.filename(leaf),
        mime=leaf.mime,
        size=len(parts.content(leaf)),
        content_id=content_id if content_id in cids else "",
    )


def extract(payload: bytes, ref: dict[str, Any]) -> tuple[bytes, str, str]:
    """Bytes, MIME type and name of the file `ref` of a stored mail; raises `KeyError` for a wrong ref."""
    for leaf in parts.leaves(parts.open_mail(payload)):
        if leaf.index == ref["part"]:
            return parts.content(leaf), leaf.mime, parts.filename(leaf)
    raise KeyError(ref["part"])
