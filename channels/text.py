"""Text as platforms bring and count it: JSON cleaned for storage, texts split at UTF-16 lengths."""

import json
import re
from typing import Any


def clean(text: str) -> str:
    """Without NUL (PostgreSQL refuses it) and with lone surrogates replaced (UTF-8 refuses them)."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "")


_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]")
"""What may be an escaped NUL or half of a pair; unescaped control characters are refused as JSON."""


def load_json(payload: bytes) -> Any:
    """JSON from outside, all of its strings cleaned; raises `ValueError` for what no column could hold."""
    try:
        value = json.loads(payload, parse_constant=_refuse, parse_int=_int)
        return _cleaned(value) if _SUSPECT.search(payload) else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _int(digits: str) -> int:
    number = int(digits) if len(digits) < 20 else 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number is too large")
    return number


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def units(text: str) -> int:
    """Length in UTF-16 code units, in which messengers count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> list[str]:
    """Parts of at most `limit` UTF-16 units, cut after white space where possible; blank parts are left out.

    Joined they give the text again, but for the blank parts. A surrogate pair is never cut.
    """
    parts = []
    while units(text) > limit:
        cut = _cut(text, limit)
        parts.append(text[:cut])
        text = text[cut:]
    return [part for part in [*parts, text] if part.strip()]


def _cut(text: str, limit: int) -> int:
    window = text[: _fitting(text, limit)]
    for separator in (r"\n", r"\s"):
        found = list(re.finditer(separator, window))
        if found and found[-1].end() >= len(window) // 2:
            return found[-1].end()
    return len(window)


def _fitting(text: str, limit: int) -> int:
    """How many characters of `text` fit into `limit` UTF-16 units."""
    used = 0
    for index, char in enumerate(text):
        used += 2 if ord(char) > 0xFFFF else 1
        if used > limit:
            return index
    return len(text)
