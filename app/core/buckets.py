"""Token buckets in the memory of a process, bounded in number: how often somebody may do something."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MEMORY = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` calls at once, then `per_second`."""

    burst: float
    per_second: float


class Buckets:
    """One bucket a key; the keys that were not used for longest are forgotten first."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, memory: int = MEMORY) -> None:
        self._clock, self._memory = clock, memory
        self._tokens: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def wait(self, key: Hashable, rate: Rate) -> float:
        """Seconds until the next call is allowed; 0 when it is now. Counts nothing."""
        return max(0.0, (1 - self._left(key, rate)) / rate.per_second)

    def take(self, key: Hashable, rate: Rate) -> float:
        """Count a call; returns the seconds to wait when it is not allowed, else 0."""
        tokens = self._left(key, rate)
        allowed = tokens >= 1
        self._tokens[key] = (tokens - 1 if allowed else tokens, self._clock())
        self._tokens.move_to_end(key)
        if len(self._tokens) > self._memory:
            self._tokens.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / rate.per_second

    def _left(self, key: Hashable, rate: Rate) -> float:
        now = self._clock()
        tokens, since = self._tokens.get(key, (rate.burst, now))
        return min(rate.burst, tokens + (now - since) * rate.per_second)
