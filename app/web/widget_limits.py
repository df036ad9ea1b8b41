"""How often visitors may call: token buckets in memory, per visitor and per address, bounded.

Several web processes each count for themselves, which multiplies the limits by their number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import HTTPConnection

from app.core.buckets import MEMORY, Buckets, Rate
from app.core.errors import TooMany

Doing = Literal["session", "message", "file", "read", "live"]


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


@dataclass
class Limits:
    """The buckets of one process."""

    visitor: dict[Doing, Rate] = field(default_factory=lambda: dict(VISITOR))
    address: dict[Doing, Rate] = field(default_factory=lambda: dict(ADDRESS))
    clock: Callable[[], float] = time.monotonic
    memory: int = MEMORY

    def __post_init__(self) -> None:
        self._buckets = Buckets(clock=self.clock, memory=self.memory)

    def take(self, doing: Doing, *, visitor: str | None, address: str | None) -> None:
        """Count one call; raises `TooMany` with the seconds to wait."""
        waits = [0.0]
        if address is not None:
            waits.append(self._buckets.take(("address", address, doing), self.address[doing]))
        if visitor is not None:
            waits.append(self._buckets.take(("visitor", visitor, doing), self.visitor[doing]))
        if wait := max(waits):
            raise TooMany("Too many calls from this visitor or address; wait.", retry_after=int(wait) + 1)


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
