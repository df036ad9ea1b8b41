"""Who writes when: customers, their dialogs and the moments of all messages, month by month.

Pure and repeatable: the same dice and the same `now` give the same plan.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from asyncpg.pgproto import pgproto

from app.demo.scale import words
from app.demo.scale.desk import Desk, Place

SPAN = timedelta(days=364)
_DAY = 86_400.0
_WHALE_DIALOGS = 40


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make. By default: dialogs = 1.5 x customers, one of fifteen is not closed."""

    customers: int = 200_000
    messages: int = 3_000_000

    @property
    def dialogs(self) -> int:
        return self.customers * 3 // 2

    @property
    def unclosed(self) -> int:
        return self.dialogs // 15

    @property
    def whale(self) -> int:
        """Messages of the one customer who writes most."""
        return min(20_000, self.messages // 20)


@dataclass(slots=True)
class Person:
    """A customer with the contact he writes by."""

    id: UUID
    identity_id: UUID
    number: int
    language: str
    place: Place
    since: float
    name: str

    @property
    def external_id(self) -> str:
        return f"c{self.number}@mail.example" if self.place.kind == "email" else str(10_000_000 + self.number)


@dataclass(slots=True)
class Dialog:
    """`moments`: time and direction of each message."""

    person: Person
    begins: float
    until: float
    length: int
    status: str = "closed"
    id: UUID = field(default_factory=lambda: UUID(int=0))
    team: UUID | None = None
    agent: UUID | None = None
    author: UUID | None = None
    moments: list[tuple[float, str]] = field(default_factory=list)
    last_id: UUID | None = None
    last_text: str = ""


class Ids:
    """UUIDv7 of a given time, drawn by the dice."""

    def __init__(self, dice: random.Random) -> None:
        self._bits = dice.getrandbits

    def at(self, seconds: float) -> UUID:
        value = int(seconds * 1000) << 80 | self._bits(76) | 7 << 76
        id: UUID = pgproto.UUID((value & ~(3 << 62) | 2 << 62).to_bytes(16, "big"))
        return id


class Plan:
    """`people`, then `months()`: dialogs and, beside them, all messages of a month in their order."""

    def __init__(self, dice: random.Random, desk: Desk, size: Size, *, now: datetime) -> None:
        self.size, self.desk, self.dice, self.ids = size, desk, dice, Ids(dice)
        self.now = now.timestamp()
        self._first = self.now - SPAN.total_seconds()
        self.since = self._first - _DAY
        self.people = [self._person(number) for number in range(size.customers)]
        self._dialogs = self._all_dialogs()

    def _person(self, number: int) -> Person:
        dice = self.dice
        since = self.since + dice.random() * _DAY
        language = "ru" if dice.random() < 0.8 else "en"
        place = dice.choice(self.desk.places)
        id, contact = self.ids.at(since), self.ids.at(since)
        return Person(id, contact, number, language, place, since, words.name(dice, language))

    # --- dialogs ----------------------------------------------------------------------------------

    def _all_dialogs(self) -> list[Dialog]:
        found = [dialog for person in self.people for dialog in self._dialogs_of(person)]
        for dialog in self._youngest(found):
            dialog.status = "snoozed" if self.dice.random() < 0.1 else "open"
        self._share_messages(found)
        return sorted(found, key=lambda dialog: dialog.begins)

    def _dialogs_of(self, person: Person) -> list[Dialog]:
        # Half as many more than there are customers, and nobody without one.
        count = _WHALE_DIALOGS if person.number == 0 else 1
        if person.number and person.number % 5 == 0:
            count += 2 if person.number % 10 else 3
        span = self.now - self._first - 60
        begins = sorted(self._moment(self.dice.random() * span) for _ in range(count))
        person.since = begins[0] - 1
        person.id, person.identity_id = self.ids.at(person.since), self.ids.at(person.since)
        return [
            Dialog(person, first, following, 1)
            for first, following in pairwise([*begins, self.now + 10 * _DAY])
        ]

    def _moment(self, offset: float) -> float:
        """By day more is written than by night."""
        day, second = divmod(self._first + offset, _DAY)
        if second < 6 * 3600 and self.dice.random() < 0.8:
            second = 9 * 3600 + self.dice.random() * 10 * 3600
        return min(day * _DAY + second, self.now - 60)

    def _youngest(self, found: list[Dialog]) -> list[Dialog]:
        """Those that are not closed: a customer's last one, more often a young one."""
        last = [dialog for dialog in found if dialog.until > self.now]
        last.sort(key=lambda dialog: (self.now - dialog.begins) * self.dice.random())
        return last[: self.size.unclosed]

    def _share_messages(self, found: list[Dialog]) -> None:
        whale = found[:_WHALE_DIALOGS]
        for dialog in whale:
            dialog.length = max(1, self.size.whale // len(whale))
        others = found[_WHALE_DIALOGS:]
        left = self.size.messages - sum(dialog.length for dialog in whale)
        mean = max(1.0, left / max(1, len(others)))
        for dialog in others:
            dialog.length = 1 + int(self.dice.expovariate(1 / (mean - 0.5))) if mean > 1 else 1
        missing = left - sum(dialog.length for dialog in others)
        for _ in range(abs(missing)):
            dialog = self.dice.choice(others)
            dialog.length = max(1, dialog.length + (1 if missing > 0 else -1))

    # --- messages ---------------------------------------------------------------------------------

    def months(self) -> Iterator[tuple[list[Dialog], list[tuple[float, int, Dialog]]]]:
        """Month by month: dialogs that begin in it; time, position and dialog of each of its messages."""
        begun = defaultdict[tuple[int, int], list[Dialog]](list)
        for dialog in self._dialogs:
            begun[_month(dialog.begins)].append(dialog)
        self._dialogs = []
        said = defaultdict[tuple[int, int], list[tuple[float, int, Dialog]]](list)
        month = min(begun)
        while begun or said:
            dialogs = begun.pop(month, [])
            for dialog in dialogs:
                self._talk(dialog)
                for position, (at, _) in enumerate(dialog.moments):
                    said[_month(at)].append((at, position, dialog))
            yield dialogs, sorted(said.pop(month, []), key=lambda entry: entry[0])
            month = (month[0] + month[1] // 12, month[1] % 12 + 1)

    def _talk(self, dialog: Dialog) -> None:
        dice = self.dice
        dialog.id = self.ids.at(dialog.begins)
        self._assign(dialog)
        gaps = [
            dice.expovariate(1 / 1200) * (20 if dice.random() < 0.1 else 1) for _ in range(dialog.length - 1)
        ]
        room = min(dialog.until, self.now) - dialog.begins - 30
        total = sum(gaps)
        scale = min(1.0, room / total) if total else 1.0
        at = dialog.begins
        dialog.moments = [(at, "in")]
        for gap in gaps:
            at += max(gap * scale, 0.001)
            draw = dice.random()
            dialog.moments.append((at, "in" if draw < 0.55 else "out" if draw < 0.95 else "note"))
        dialog.last_id = self.ids.at(at)

    def _assign(self, dialog: Dialog) -> None:
        dice, place = self.dice, dialog.person.place
        draw = dice.random()
        team = dice.choice(place.teams)
        dialog.author = dice.choice(self.desk.members[team] or self.desk.agents)
        if draw < 0.85 or dialog.status == "closed":
            dialog.team = team
        if draw < 0.6 or dialog.status == "closed":
            dialog.agent = dialog.author


def _month(at: float) -> tuple[int, int]:
    date = datetime.fromtimestamp(at, UTC)
    return date.year, date.month
