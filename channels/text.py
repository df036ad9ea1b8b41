"""Text as platforms count it: cleaned for storage, split at UTF-16 lengths."""

import re


def clean(text: str) -> str:
    """Without NUL (PostgreSQL refuses it) and with lone surrogates replaced (UTF-8 refuses them)."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "")


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
