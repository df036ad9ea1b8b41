"""An outgoing mail as bytes. Header injection is impossible: fields are set through `EmailMessage`."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Any

from channels.base import OutgoingMessage, Rejected
from channels.email import headers, threading
from channels.email.charsets import clean
from channels.email.parse import LOOP_HEADER, Mailbox

_ANSWER = re.compile(r"^\s*(?:re|ответ|отв|aw|sv)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>\"']{1,2000}")
_LINE_BREAKS = re.compile(r"[\r\n\x00-\x1f\x7f]+")
_LOCAL = re.compile(r"[^\x00-\x20\x7f@<>()\[\],;:\\\"]{1,64}")
_DOMAIN = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f.:]{2,60}\]", re.IGNORECASE)
MAX_REFERENCES = 30
MAX_RECIPIENTS = 100
# Bodies in seven bits: not every server on the way takes eight.
_PLAIN, _UTF8 = SMTP.clone(cte_type="7bit"), SMTPUTF8.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail ready to leave."""

    message_id: str
    sender: str
    """Envelope sender: where bounces go."""
    recipients: list[str]
    """All it goes to, first those who have to be taken."""
    needed: int
    """How many of them are the point of the mail (To); one of these has to be taken."""
    content: bytes
    utf8: bool
    """Needs a server that takes addresses outside of ASCII."""


async def compose(message: OutgoingMessage, box: Mailbox) -> Outgoing:
    """Write the mail; raises `Rejected` when it has no valid recipient."""
    settings, meta = box.settings, message.meta
    text = clean(message.text)
    if not text.strip() and not message.files:
        raise Rejected("The message is empty.", code="empty")
    to, cc, bcc = _recipients(message, box)
    own_id = threading.message_id(message.key, secret=box.secret, domain=settings.domain)
    reply_to = threading.reply_address(settings.address, message.key, box.secret)
    utf8 = not all(address.isascii() for address in (settings.address, *to, *cc, *bcc))
    mail = EmailMessage(policy=_UTF8 if utf8 else _PLAIN)
    mail["From"] = _address(settings.address, _display_name(message, box))
    mail["To"] = [_address(address) for address in to]
    if cc:
        mail["Cc"] = [_address(address) for address in cc]
    mail["Subject"] = _subject(message)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = own_id
    if settings.plus_addressing:
        mail["Reply-To"] = _address(reply_to, settings.display_name)
    for name, value in (_thread_fields(meta) if not _chosen(message).get("forward") else {}).items():
        mail[name] = value
    mail[LOOP_HEADER] = threading.loop_mark(box.secret)
    mail.set_content(text)
    mail.add_alternative(_page(text), subtype="html")
    for file in message.files:
        _attach(mail, await file.content.read(), file.mime, file.name)
    return Outgoing(
        message_id=own_id,
        sender=reply_to if settings.plus_addressing else settings.address,
        recipients=[*to, *cc, *bcc],
        needed=len(to),
        content=mail.as_bytes(),
        utf8=utf8,
    )


def _chosen(message: OutgoingMessage) -> Mapping[str, Any]:
    """What the agent chose for this mail."""
    chosen = message.meta.get("mail")
    return chosen if isinstance(chosen, Mapping) else {}


def _recipients(message: OutgoingMessage, box: Mailbox) -> tuple[list[str], list[str], list[str]]:
    """To, Cc, Bcc; nobody twice. What the agent chose goes before the rules."""
    chosen, taken = _chosen(message), set[str]()
    to = _fresh(chosen.get("to") or [_customer(message, box)], taken)
    if not to:
        raise Rejected("The customer has no valid e-mail address.", code="no_address", unreachable=True)
    cc = chosen.get("cc")
    if cc is None:
        cc = _answered_copies(message, box) if not chosen.get("to") else []
    taken.add(box.settings.address)
    return to, _fresh(cc, taken), _fresh(chosen.get("bcc") or [], taken)


def _fresh(addresses: Any, taken: set[str]) -> list[str]:
    found = []
    for address in map(headers.normalise, map(str, addresses)):
        if address and address not in taken and len(taken) < MAX_RECIPIENTS:
            taken.add(address)
            found.append(address)
    return found


def _customer(message: OutgoingMessage, box: Mailbox) -> str:
    """The customer's address, or the one he wants answers at."""
    recipient = headers.normalise(message.recipient)
    wished = headers.normalise(str(message.meta.get("reply_to", "")))
    if recipient == message.meta.get("from") and wished and wished != box.settings.address:
        return wished
    return recipient


def _answered_copies(message: OutgoingMessage, box: Mailbox) -> list[str]:
    """Those in copy of the mail that is answered, where the mailbox is set so."""
    answers = headers.normalise(message.recipient) == message.meta.get("from")
    if not answers or not box.settings.answer_all:
        return []
    named = [str(value).rpartition("<")[2] for value in message.meta.get("cc", [])]
    return [
        address for address in named if headers.normalise(address) != headers.normalise(message.recipient)
    ]


def _address(email: str, name: str = "") -> Address:
    local, _, domain = email.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise Rejected("The e-mail address is not valid.", code="no_address", unreachable=True)
    return Address(display_name=_one_line(name), username=local, domain=domain)


def _display_name(message: OutgoingMessage, box: Mailbox) -> str:
    names = [message.author if box.settings.show_agent else "", box.settings.display_name]
    return ", ".join(name for name in names if name)


def _subject(message: OutgoingMessage) -> str:
    chosen = _one_line(str(_chosen(message).get("subject", "")))[:300]
    if chosen:
        return chosen
    subject = _one_line(str(message.meta.get("subject", "")))[:300]
    if subject and _chosen(message).get("forward"):
        return f"Fwd: {subject}"
    if subject:
        return subject if _ANSWER.match(subject) or not message.chat else f"Re: {subject}"
    first = next((line.strip() for line in message.text.splitlines() if line.strip()), "")
    return _one_line(first)[:78] or "…"


def _thread_fields(meta: Mapping[str, Any]) -> dict[str, str]:
    """In-Reply-To and References of an answer, from the newest mail of the customer."""
    answered = _ids([meta.get("message_id", "")])
    if not answered:
        return {}
    chain = [value for value in _ids(meta.get("references", [])) if value not in answered]
    # The first names the thread, the last ones its end; the middle is what may go.
    kept = chain if len(chain) < MAX_REFERENCES else chain[:1] + chain[2 - MAX_REFERENCES :]
    return {"In-Reply-To": answered[0], "References": " ".join(kept + answered)}


def _ids(values: Any) -> list[str]:
    return [value for value in map(str, values) if re.fullmatch(r"<[!-;=?-~]{3,400}>", value)]


def _page(text: str) -> str:
    """Simple HTML of a text: paragraphs, line breaks, links."""
    blocks = re.split(r"\n{2,}", text.strip("\n"))
    body = "\n".join(f"<p>{_linked(block)}</p>" for block in blocks)
    return f'<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n{body}\n</body></html>\n'


def _linked(block: str) -> str:
    parts, position = [], 0
    for match in _LINK.finditer(block):
        target = match[0].rstrip(".,;:!?)")
        parts.append(html.escape(block[position : match.start()]))
        parts.append(f'<a href="{html.escape(target)}">{html.escape(target)}</a>')
        position = match.start() + len(target)
    parts.append(html.escape(block[position:]))
    return "".join(parts).replace("\n", "<br>\n")


def _attach(mail: EmailMessage, data: bytes, mime: str, name: str) -> None:
    main, _, sub = mime.partition(";")[0].strip().lower().partition("/")
    if not re.fullmatch(r"[a-z0-9.+-]+", sub) or main not in (
        "image",
        "audio",
        "video",
        "application",
        "text",
    ):
        main, sub = "application", "octet-stream"
    mail.add_attachment(data, maintype=main, subtype=sub, filename=_one_line(name) or "file")


def _one_line(value: str) -> str:
    return _LINE_BREAKS.sub(" ", clean(value)).strip()
