"""Mail that machines write: bounces, read receipts, answers of absence, lists."""

import re
from email.message import Message

from channels.base import Event, Ignored, Receipt
from channels.email import bounces, headers, parts, threading
from channels.email.charsets import decode

MAX_SCAN = 262_144

_BOUNCE_SENDER = re.compile(
    r"^(?:mailer-daemon|postmaster|mail-daemon|mailer_daemon|maildaemon|bounces?|ndr)[@+=-]"
)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|delivery (?:status|fail|problem|delay)|delivery (?:has )?failed|returned (?:mail|to sender)|"
    r"failure notice|mail delivery|non.?remis|unzustellbar|could not be delivered|delayed|"
    r"недоставлен|не ?доставлено|не удалось доставить|ошибка доставки|возвращ|сбой доставки",
    re.IGNORECASE,
)
_DELAY = re.compile(r"delay|warning|still (?:being )?(?:retried|trying)|отложен|задержан", re.IGNORECASE)
_AUTOMATIC_SUBJECT = re.compile(
    r"^\s*(?:автоответ|автоматический ответ|я в отпуске|вне офиса|auto(?:matic)?[- ]?(?:reply|response)|"
    r"out of (?:the )?office|abwesenheit)",
    re.IGNORECASE,
)
_PRECEDENCE = {"bulk", "junk", "list", "auto_reply"}
_MARKS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-response-suppress",
    "list-id",
    "list-unsubscribe",
    "feedback-id",
)


def is_automatic(message: "Message[str, str]") -> bool:
    """Whether a machine wrote it: it is stored, but neither reopens a dialog nor is answered."""
    submitted = headers.text(message, "auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if headers.text(message, "precedence").lower() in _PRECEDENCE:
        return True
    if any(headers.raw(message, name) for name in _MARKS) or message.get_content_type() == "multipart/report":
        return True
    return bool(_AUTOMATIC_SUBJECT.search(headers.text(message, "subject"))) or is_bounce(message)


def is_bounce(message: "Message[str, str]") -> bool:
    """Whether it looks like a report of a mail server about a mail."""
    if message.get_content_type() == "multipart/report" or headers.raw(message, "x-failed-recipients"):
        return True
    sender = next((address.email for address in headers.addresses(message, "from")), "")
    empty_path = headers.raw(message, "return-path").strip() == "<>"
    by_server = bool(_BOUNCE_SENDER.match(sender)) or empty_path
    return by_server and bool(_BOUNCE_SUBJECT.search(headers.text(message, "subject")))


def report(
    message: "Message[str, str]", leaves: list[parts.Leaf], *, secret: str, ours: list[str]
) -> Event | None:
    """What a bounce or read receipt says about a mail of ours; None: it is something else, or about
    a mail that we cannot name. `ours` are Message-IDs from signed addresses it was sent to.
    """
    statuses = bounces.statuses(leaves)
    if not statuses and not is_bounce(message):
        return None
    subject_id = _about(message, leaves, secret) or next(iter(ours), "")
    if not subject_id:
        return None
    if parts.parameter(message, "report-type").lower() == "disposition-notification":
        return _read_receipt(leaves, subject_id)
    if parts.parameter(message, "report-type").lower() == "feedback-report":
        return Receipt(
            chat="", status="noted", alias=subject_id, reason="The recipient reported it as unwanted mail."
        )
    return _verdict(message, statuses, leaves, subject_id)


def _about(message: "Message[str, str]", leaves: list[parts.Leaf], secret: str) -> str:
    """Our Message-ID in whatever form the mail was returned: every server has its own."""
    own = " ".join([headers.raw(message, "in-reply-to"), headers.raw(message, "references")])
    texts = (decode(parts.content(leaf)[:MAX_SCAN]) for leaf in leaves[:10])
    for content in (own, *texts):
        found = threading.find_ours(content, secret)
        if found:
            return found
    return ""


def _read_receipt(leaves: list[parts.Leaf], alias: str) -> Event:
    content = " ".join(_decoded(leaf) for leaf in leaves if leaf.mime == "message/disposition-notification")
    if re.search(r"^disposition:.*;\s*displayed", content, re.IGNORECASE | re.MULTILINE):
        return Receipt(chat="", status="read", alias=alias)
    return Ignored("disposition notification")


def _verdict(
    message: "Message[str, str]", statuses: list[parts.Leaf], leaves: list[parts.Leaf], alias: str
) -> Event:
    fields = "\n".join(_decoded(leaf) for leaf in statuses)
    actions = {value.lower() for value in re.findall(r"(?im)^action:\s*([a-z]+)", fields)}
    status = _field(fields, "status")
    about = bounces.recipients(message, leaves)
    delayed = "delayed" in actions or (not actions and status.startswith("4"))
    if actions and not actions & {"failed", "delayed"}:
        return Ignored(f"delivery report: {', '.join(sorted(actions))}")
    reason = re.sub(r"^[\w-]+;\s*", "", _field(fields, "diagnostic-code")) or status or _first_words(leaves)
    who = next(iter(about), "")
    if "failed" not in actions and (delayed or _DELAY.search(headers.text(message, "subject"))):
        return Receipt(chat="", status="noted", alias=alias, recipient=who, reason=f"Delayed: {reason}"[:300])
    if about and all(bounces.only_in_copy(one, leaves) for one in about):
        return Receipt(chat="", status="noted", alias=alias, recipient=who, reason=f"{who}: {reason}"[:300])
    return Receipt(chat="", status="failed", alias=alias, recipient=who, reason=reason[:300])


def _field(fields: str, name: str) -> str:
    match = re.search(rf"(?im)^{name}:[ \t]*(.{{0,400}}(?:\n[ \t]+.{{0,400}}){{0,5}})", fields)
    return " ".join(match[1].split()) if match else ""


def _first_words(leaves: list[parts.Leaf]) -> str:
    plain = next((parts.text(leaf) for leaf in leaves if leaf.mime == "text/plain"), "")
    return " ".join(plain[:2000].split()) or "returned by the mail server"


def _decoded(leaf: parts.Leaf) -> str:
    return decode(parts.content(leaf)[:MAX_SCAN]).replace("\r\n", "\n")
