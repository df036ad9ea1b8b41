"""How the sending lanes of a process are shared among channels, so that a slow one leaves room for others."""

import asyncio
from collections import Counter
from uuid import UUID

_AT_ONCE = 4


class Lanes:
    """Counts what is on its way by channel. A channel gets another lane while more are free than it holds."""

    def __init__(self, count: int = 16) -> None:
        self.count = count
        self.claiming = asyncio.Semaphore(_AT_ONCE)
        """Around each claim: those under way at once may pass the bound of a channel by three."""
        self._held: Counter[UUID] = Counter()

    def full(self) -> list[UUID]:
        """Channels that get no more lanes for now."""
        free = self.count - self._held.total()
        return [channel_id for channel_id, held in self._held.items() if held >= free]

    def take(self, channel_id: UUID) -> None:
        self._held[channel_id] += 1

    def give_back(self, channel_id: UUID) -> None:
        self._held[channel_id] -= 1
        if not self._held[channel_id]:
            del self._held[channel_id]
