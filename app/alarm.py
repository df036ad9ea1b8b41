"""What is due when: one query for all kinds of work, instead of a look of each of them every moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.core.db import Database

LONGEST = 2.0
_SOONEST = 0.001


@dataclass(frozen=True, slots=True)
class Work:
    """`due`: SQL of the time when some is to be done, null for never; `wake`: who does it."""

    due: str
    wake: Callable[[], None]


class Alarm:
    """Wakes whom something is due for."""

    def __init__(self, db: Database, works: Mapping[str, Work]) -> None:
        self._db, self._works = db, works
        parts = (
            f"extract(epoch from ({work.due}) - clock_timestamp())::float8 as {name}"
            for name, work in works.items()
        )
        self._query = f"select {', '.join(parts)}"

    async def turn(self) -> float:
        """Look once; returns the seconds until the next look, when no bell rings before."""
        row = await self._db.raw.fetchrow(self._query)
        pause = LONGEST
        for name, work in self._works.items():
            seconds = row[name]
            if seconds is None:
                continue
            if seconds <= 0:
                work.wake()
            else:
                pause = min(pause, seconds + _SOONEST)
        return pause
