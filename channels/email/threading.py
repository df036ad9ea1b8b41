"""Our Message-IDs and signed reply addresses: both carry the key of the message they stand for, so
that an answer, a bounce or our own copy is known even when everything else was rewritten on the way.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"otk-[0-9a-z]{1,32}-[0-9a-f]{16}")
_OURS = re.compile(r"<(otk-[0-9a-z]{1,32}-[0-9a-f]{16})@([^<>\s@]{1,255})>")


def token(key: str, secret: str) -> str:
    """Signed local part for the message `key`."""
    name = _base36(int(key)) if key.isdecimal() else "h" * 14 + _digest(key.encode(), "")[:16]
    return f"otk-{name}-{_sign(name, secret)}"


def message_id(key: str, *, secret: str, domain: str) -> str:
    """Message-ID of our message `key`; the same on every repeat."""
    return f"<{token(key, secret)}@{domain}>"


def reply_address(address: str, key: str, secret: str) -> str:
    """`box+token@domain`: where an answer to our message `key` should go."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token(key, secret)}@{domain}"


def key_of(reference: str, secret: str) -> str | None:
    """Key of the message that one of our Message-IDs stands for; None when it is not ours.

    The empty string means: ours, but the key cannot be read back.
    """
    match = _OURS.fullmatch(reference.lower())
    if not match or not _genuine(match[1], secret):
        return None
    name = match[1].split("-")[1]
    return "" if name.startswith("h" * 14) else str(int(name, 36))


def from_recipients(recipients: Iterable[str], *, secret: str, domain: str) -> list[str]:
    """Our Message-IDs that genuine reply addresses among `recipients` stand for."""
    found = []
    for address in recipients:
        detail = address.lower().rpartition("@")[0].rpartition("+")[2]
        if _TOKEN.fullmatch(detail) and _genuine(detail, secret):
            found.append(f"<{detail}@{domain}>")
    return list(dict.fromkeys(found))


def find_ours(content: str, secret: str) -> str:
    """First genuine Message-ID of ours anywhere in `content` (a returned mail); empty: none."""
    for match in _OURS.finditer(content.lower()):
        if _genuine(match[1], secret):
            return match[0]
    return ""


def loop_mark(secret: str) -> str:
    """Value of the header by which we know our own mail when it comes back."""
    return _digest(b"loop", secret)[:24]


def _genuine(value: str, secret: str) -> bool:
    _, name, mac = value.split("-")
    return hmac.compare_digest(_sign(name, secret), mac)


def _sign(name: str, secret: str) -> str:
    return _digest(b"mail:" + name.encode(), secret)[:16]


def _digest(data: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"
