"""One measured figure and how it is printed: a JSON object a line."""

import json
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` and `limit` in `unit`, medians of the rounds; `ratio` is the median of value / limit."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    rounds: int

    def line(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "value": round(self.value, 3),
                "unit": self.unit,
                "limit": round(self.limit, 3),
                "ratio": round(self.ratio, 3),
                "rounds": self.rounds,
            }
        )


def of(name: str, unit: str, rounds: list[tuple[float, float]]) -> Figure:
    """The figure of interleaved rounds, each `(value, limit)`."""
    return Figure(
        name=name,
        value=statistics.median(value for value, _ in rounds),
        unit=unit,
        limit=statistics.median(limit for _, limit in rounds),
        ratio=statistics.median(value / limit for value, limit in rounds),
        rounds=len(rounds),
    )
