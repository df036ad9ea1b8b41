"""Values read from the database and remembered for seconds; renewed while they are in use, so that nobody
has to wait for what is needed all the time."""

import time
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

RENEW_SECONDS = 1.0
"""How often what is in use is to be put anew."""
_IN_USE_SECONDS = 60.0
MOST = 1000


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value
    until: float
    asked_at: float


class Kept(Generic[Key, Value]):
    """Of each key its value, for `seconds` after it was put here."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._entries: dict[Key, _Entry[Value]] = {}

    def find(self, key: Key) -> Value | None:
        """The value, unless it is too old."""
        entry, now = self._entries.get(key), time.monotonic()
        if entry is None:
            return None
        entry.asked_at = now
        return entry.value if entry.until > now else None

    def put(self, key: Key, value: Value) -> None:
        now = time.monotonic()
        if key not in self._entries and len(self._entries) >= MOST:
            self._entries.clear()
        asked_at = self._entries[key].asked_at if key in self._entries else now
        self._entries[key] = _Entry(value, now + self._seconds, asked_at)

    def in_use(self) -> list[Key]:
        """Keys that were asked for within the last minute: who puts their values anew keeps them fresh."""
        long_ago = time.monotonic() - _IN_USE_SECONDS
        return [key for key, entry in self._entries.items() if entry.asked_at > long_ago]
