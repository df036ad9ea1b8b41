"""How the sending lanes of a process are shared among channels, so that a slow one leaves room for others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID


class Lanes:
    """Counts what is on its way by channel. A channel gets another lane while more are free than it holds."""

    def __init__(self, count: int = 16) -> None:
        self.count = count
        self._held: Counter[UUID] = Counter()

    def full(self) -> list[UUID]:
        """Channels that get no more lanes for now."""
        free = self.count - self._held.total()
        return [channel_id for channel_id, held in self._held.items() if held >= free]

    @contextmanager
    def hold(self, channel_id: UUID) -> Iterator[None]:
        self._held[channel_id] += 1
        try:
            yield
        finally:
            self._held[channel_id] -= 1
            if not self._held[channel_id]:
                del self._held[channel_id]
