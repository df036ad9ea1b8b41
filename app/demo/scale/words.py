"""What customers and agents say at scale: some 6,000 Russian and English words, few of them common.

Forms are derived from short lists of stems, so that full-text search has stems to find; how often a
word is used falls with its rank, as in real talk.
"""

import random
from functools import cache
from itertools import accumulate, product
from pathlib import Path

_FILE = Path(__file__).with_name("words.txt")


@cache
def _lists() -> dict[str, list[str]]:
    """The lists of the file: stems by the way they are declined, and names."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = found.setdefault(line.strip("[]"), [])
        else:
            words.extend(line.split())
    return found


def _joined(stems: list[str], endings: str, prefixes: str = "-") -> list[str]:
    return [
        f"{'' if prefix == '-' else prefix}{stem}{'' if ending == '-' else ending}"
        for prefix, stem, ending in product(prefixes.split(), stems, endings.split())
    ]


@cache
def vocabulary(language: str) -> list[str]:
    """All words of a language, without repetition; those that everybody uses come first."""
    lists = _lists()
    if language == "ru":
        rest = (
            _joined(lists["masculine"], "- а у ом е ы ов ам ами ах")
            + _joined(lists["feminine in k"], "а и е у ой ам ами ах")
            + _joined(lists["feminine"], "а ы е у ой ам ами ах")
            + _joined(lists["adjectives"], "ый ого ому ым ом ая ой ую ое ые ых ыми")
            + _joined(lists["verbs"], "ть ю ет ем ете ют л ла ли йте", "- пере до под")
        )
    else:
        rest = (
            _joined(lists["english nouns"], "- s")
            + _joined(lists["english verbs"], "- s ed ing er", "- re un over")
            + _joined(lists["english adjectives"], "- ly ness", "- un")
        )
    random.Random(language).shuffle(rest)  # noqa: S311 - a play
    return list(dict.fromkeys(lists[f"common {language}"] + rest))


class Talk:
    """Sentences of a language, drawn once; a message is one to three of them."""

    def __init__(self, dice: random.Random, language: str, *, sentences: int = 20_000) -> None:
        words = vocabulary(language)
        weights = list(accumulate(1 / (rank + 2) for rank in range(len(words))))
        self._dice = dice
        self._sentences = [
            self._sentence(dice.choices(words, cum_weights=weights, k=3 + int(dice.random() ** 2 * 12)))
            for _ in range(sentences)
        ]

    def _sentence(self, words: list[str]) -> str:
        ending = self._dice.choice("...?!")
        return " ".join(words).capitalize() + ending

    def say(self) -> str:
        """A message; one in twelve names an order, which nobody else names."""
        draw = self._dice.random()
        pick = self._sentences
        text = pick[int(self._dice.random() * len(pick))]
        if draw < 0.35:
            text = f"{text} {pick[int(draw * 1e6) % len(pick)]}"
        if draw < 0.1:
            text = f"{text} {pick[int(draw * 1e7) % len(pick)]}"
        if draw > 0.92:
            text = f"{text} OT-{int(draw * 1e9) % 900_000 + 100_000}"
        return text


def name(dice: random.Random, language: str) -> str:
    """First and last name."""
    first = dice.choice(_lists()[f"first {language}"])
    last = dice.choice(_lists()[f"last {language}"])
    if language == "ru" and first[-1] in "ая":
        last += "а"
    return f"{first} {last}"
