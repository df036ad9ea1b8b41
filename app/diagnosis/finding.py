"""One finding, and how it is told in Russian and English."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.diagnosis.words import WORDS

LEVELS = ("note", "warning", "broken")
"""The worst says the exit code: 0, 1, 2."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` names the texts in `WORDS`, `values` fill them; `where` is the place as it is called."""

    level: str
    code: str
    where: str
    values: dict[str, Any] = field(default_factory=dict)

    def told(self, language: str) -> dict[str, str]:
        """`what`, `where`, `why` and `do` as sentences."""
        what, why, do = (text.format(**self.values) for text in WORDS[self.code][language])
        return {
            "level": self.level,
            "code": self.code,
            "what": what,
            "where": self.where,
            "why": why,
            "do": do,
        }


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The caller's: `ru` or `en`."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "ru" if environment[name].startswith("ru") else "en"
    return "en"
