"""Header fields of a mail as text and addresses. Works on raw values: the parser of the standard
library raises on some and takes seconds on others, so nothing here depends on it.
"""

import re
import unicodedata
from base64 import b64decode
from binascii import a2b_qp
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import TypeAlias

import idna

from channels.email.charsets import clean, decode

AnyMessage: TypeAlias = "Message[str, str]"

MAX_VALUE = 16_384
MAX_ADDRESSES = 200
MAX_IDS = 100

_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*(?: [^?\s]*)*)\?=")
_BETWEEN = re.compile(r"(\?=)[ \t\r\n]+(?==\?)")
_ID = re.compile(r"<([^<>\s]{3,400})>")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: decoded name and normalised address."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


def raw(message: AnyMessage, name: str) -> str:
    """First value of a field as it came, unfolded; may hold surrogates for 8-bit bytes."""
    return next(raws(message, name), "")


def raws(message: AnyMessage, name: str) -> Iterator[str]:
    """Every value of a field as it came, unfolded."""
    wanted = name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted:
            yield str(value)[:MAX_VALUE].replace("\r", "").replace("\n", "")


def text(message: AnyMessage, name: str) -> str:
    """First value of a field as one line of text."""
    return decoded(raw(message, name))


def decoded(value: str) -> str:
    """A raw value with its encoded words and 8-bit bytes turned into text."""
    joined: list[str] = []
    pending: tuple[str, bytes] | None = None
    position = 0
    value = _BETWEEN.sub(r"\1", value)
    for match in _WORD.finditer(value):
        word = _word(*match.groups())
        between = value[position : match.start()]
        # Neighbours in one charset are decoded together: some mailers cut inside of a character.
        if pending and not between and pending[0] == word[0]:
            pending = (word[0], pending[1] + word[1])
        else:
            joined += [decode(pending[1], pending[0])] if pending else []
            joined.append(_eight_bit(between))
            pending = word
        position = match.end()
    joined += [decode(pending[1], pending[0])] if pending else []
    joined.append(_eight_bit(value[position:]))
    return _SPACE.sub(" ", clean("".join(joined))).strip()


def _word(charset: str, how: str, content: str) -> tuple[str, bytes]:
    data = content.encode("ascii", "surrogateescape")
    try:
        if how in "bB":
            return charset.lower(), b64decode(data + b"=" * (-len(data) % 4))
        return charset.lower(), a2b_qp(data, header=True)
    except ValueError:
        return charset.lower(), data


def _eight_bit(value: str) -> str:
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"))


def addresses(message: AnyMessage, *names: str) -> list[Address]:
    """Mailboxes of the fields, in order, without repeats and without what is no address."""
    values = [value for name in names for value in raws(message, name)]
    found: dict[str, Address] = {}
    for name, address in _split(values):
        email = normalise(decoded(address))
        if "@" in email and email not in found:
            found[email] = Address(decoded(name), email)
    return list(found.values())[:MAX_ADDRESSES]


def _split(values: list[str]) -> list[tuple[str, str]]:
    try:
        return getaddresses(values)
    except Exception:  # the parser of the standard library has its own bad days
        return [
            ("", match)
            for value in values
            for match in re.findall(r"[^\s<>,;\"@]{1,64}@[^\s<>,;\"@]{1,255}", value)
        ]


def normalise(address: str) -> str:
    """Address in the form in which two spellings of one mailbox are equal: lower case, ASCII domain."""
    local, at, domain = unicodedata.normalize("NFC", address.strip().strip("<>")).lower().rpartition("@")
    if not at or not local or not domain or _SPACE.search(local + domain):
        return ""
    if not domain.isascii():
        with suppress(idna.IDNAError, UnicodeError):
            domain = idna.encode(domain, uts46=True).decode()
    return f"{local}@{domain.rstrip('.')}"


def ids(message: AnyMessage, name: str) -> list[str]:
    """Message-IDs of a field, each with its angle brackets, in order."""
    values = " ".join(raws(message, name))
    found = [f"<{value}>" for value in _ID.findall(clean(values))]
    if not found and name.lower() == "message-id" and values.strip():
        found = [f"<{_SPACE.sub('', clean(values))[:400].strip('<>')}>"]
    return list(dict.fromkeys(found))[-MAX_IDS:]


def date(message: AnyMessage) -> datetime | None:
    """When the sender says he wrote; None when he does not or cannot have."""
    return _moment(raw(message, "date"))


def received(message: AnyMessage) -> datetime | None:
    """When our mail server got it: the newest trace. The sender's clock is anybody's guess."""
    return _moment(raw(message, "received").rpartition(";")[2])


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(clean(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
