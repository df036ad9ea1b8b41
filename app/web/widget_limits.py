"""How often visitors may call: token buckets in memory, per visitor and per address, bounded.

Several web processes each count for themselves, which multiplies the limits by their number.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import HTTPConnection

from app.core.errors import TooMany

Doing = Literal["session", "message", "file", "read", "live"]


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` calls at once, then `per_second`."""

    burst: float
    per_second: float


VISITOR: dict[Doing, Rate] = {
    "session": Rate(30, 0.5),
    "message": Rate(20, 0.5),
    "file": Rate(20, 0.2),
    "read": Rate(120, 5),
    "live": Rate(30, 0.5),
}
# An office or a mobile carrier shares one address.
ADDRESS: dict[Doing, Rate] = {
    "session": Rate(300, 10),
    "message": Rate(300, 10),
    "file": Rate(200, 4),
    "read": Rate(1200, 50),
    "live": Rate(300, 10),
}
_MEMORY = 50_000


@dataclass
class Limits:
    """The buckets of one process."""

    visitor: dict[Doing, Rate] = field(default_factory=lambda: dict(VISITOR))
    address: dict[Doing, Rate] = field(default_factory=lambda: dict(ADDRESS))
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[tuple[str, str, str], tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, doing: Doing, *, visitor: str | None, address: str | None) -> None:
        """Count one call; raises `TooMany` with the seconds to wait."""
        waits = [0.0]
        if address is not None:
            waits.append(self._take(("address", address, doing), self.address[doing]))
        if visitor is not None:
            waits.append(self._take(("visitor", visitor, doing), self.visitor[doing]))
        if wait := max(waits):
            raise TooMany("Too many calls from this visitor or address; wait.", retry_after=int(wait) + 1)

    def _take(self, key: tuple[str, str, str], rate: Rate) -> float:
        now = self.clock()
        tokens, since = self._buckets.get(key, (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - since) * rate.per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MEMORY:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / rate.per_second


def of(connection: HTTPConnection) -> Limits:
    """The limits of this process."""
    state = connection.app.state
    if not hasattr(state, "widget_limits"):
        state.widget_limits = Limits()
    limits: Limits = state.widget_limits
    return limits


def take(connection: HTTPConnection, doing: Doing, *, visitor: str | None = None) -> None:
    """Count a call of this connection; raises `TooMany`."""
    address = connection.client.host if connection.client else ""
    of(connection).take(doing, visitor=visitor, address=address)
