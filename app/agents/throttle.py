"""Slowing down who guesses passwords, per pair of e-mail and address, per e-mail, per address.

Kept in the memory of the process and bounded: an attacker must not be able to write to the database
without signing in. With several web processes each counts for itself, which multiplies the limits by
their number; argon2 and the lengths of passwords leave room for that.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from app.core.errors import TooMany

_WINDOW = 15 * 60.0
_MEMORY = 20_000
# An attacker elsewhere must not lock the owner of an e-mail out: the pair is strict, the e-mail alone is not.
_LIMITS = {"pair": 5, "email": 50, "address": 60}


class Throttle:
    """Counts failures in windows of 15 minutes. `attempt` before a login, `succeeded` after a good one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def attempt(self, *, email: str, address: str) -> None:
        """Count a try as failed, before it is known; raises `TooMany` when there were too many."""
        now = self._clock()
        keys = _keys(email, address)
        waits = [self._wait(key, now) for key in keys]
        if any(waits):
            raise TooMany("Too many failed logins; wait and try again.", retry_after=int(max(waits)) + 1)
        for key in keys:
            since, count = self._current(key, now)
            self._counts[key] = (since, count + 1)
            self._counts.move_to_end(key)
        while len(self._counts) > _MEMORY:
            self._counts.popitem(last=False)

    def succeeded(self, *, email: str, address: str) -> None:
        """The login was good: the pair starts anew, the others get this try back."""
        now = self._clock()
        pair, *others = _keys(email, address)
        self._counts.pop(pair, None)
        for key in others:
            since, count = self._current(key, now)
            self._counts[key] = (since, max(0, count - 1))

    def _current(self, key: tuple[str, str], now: float) -> tuple[float, int]:
        since, count = self._counts.get(key, (now, 0))
        return (now, 0) if now - since >= _WINDOW else (since, count)

    def _wait(self, key: tuple[str, str], now: float) -> float:
        since, count = self._current(key, now)
        return since + _WINDOW - now if count >= _LIMITS[key[0]] else 0.0


def _keys(email: str, address: str) -> list[tuple[str, str]]:
    email = email.lower()
    return [("pair", f"{email} {address}"), ("email", email), ("address", address)]
