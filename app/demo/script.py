"""The story as it is written in `stories/*.txt`, read into persons and steps."""

import re
import zlib
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Moscow")
LANGUAGES = ("ru", "en")
_FOLDER = Path(__file__).with_name("stories")
_LINE = re.compile(r"(?P<when>\d+d \d\d:\d\d|-\S+) (?P<what>[a-z]+)(?P<flags>[^:]*): ?(?P<text>.*)")
_AGO = re.compile(r"-(?:(\d+)h)?(?:(\d+)m)?")


@dataclass
class Person:
    """A customer, with what he is called on each platform."""

    key: str
    name: str
    kinds: list[str]
    locale: str
    about: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return zlib.crc32(self.key.encode()) % 10**8

    def external_id(self, kind: str) -> str:
        """His id on a platform."""
        if "id" in self.about:
            return self.about["id"]
        return {
            "telegram": str(5_000_000_000 + self.number),
            "vk": str(700_000_000 + self.number),
            "email": self.email,
            "webchat": f"demo-{self.key}-{self.number:08x}",
            "api": self.about.get("apiid", f"loyal-{self.number}"),
        }[kind]

    @property
    def email(self) -> str:
        return self.about.get("mail", "" if "email" not in self.kinds else f"{self.key}@mail.example")

    @property
    def names(self) -> tuple[str, str]:
        """First name and the rest."""
        first, _, rest = self.name.partition(" ")
        return first, rest


@dataclass(frozen=True)
class Step:
    """Somebody does something at some time. `agent` is empty for the customer."""

    at: datetime
    person: Person
    what: str
    agent: str
    flags: dict[str, str]
    text: str


def load(locale: str, now: datetime) -> list[Step]:
    """All steps of all stories in the order of their times, none of them later than `now`."""
    steps = [step for language in LANGUAGES for step in _read(language, locale, now)]
    return sorted(steps, key=lambda step: step.at)


def persons() -> list[Person]:
    """Everybody of all stories."""
    return [person for language in LANGUAGES for person, _ in _blocks(language)]


def _read(language: str, locale: str, now: datetime) -> list[Step]:
    steps: list[Step] = []
    for person, lines in _blocks(language):
        if person.about.get("only", locale) != locale:
            continue
        last = now - timedelta(days=30)
        for line in lines:
            step = _step(person, line, now)
            last = min(max(step.at, last + timedelta(seconds=20)), now - timedelta(seconds=5))
            steps.append(Step(last, person, step.what, step.agent, step.flags, step.text))
    return steps


def _blocks(language: str) -> list[tuple[Person, list[str]]]:
    found: list[tuple[Person, list[str]]] = []
    for line in (_FOLDER / f"{language}.txt").read_text().splitlines():
        if line.startswith("@"):
            found.append((_person(line[1:], language), []))
        elif line.strip() and not line.startswith("#"):
            found[-1][1].append(line)
    return found


def _person(line: str, language: str) -> Person:
    key, name, kinds, rest = (part.strip() for part in line.split("|", 3))
    known, _, about = rest.partition("about=")
    values = _flags(known) | ({"about": about} if about else {})
    return Person(key, name, kinds.split(","), language, values)


def _flags(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in text.split())
    return {
        name: value.replace("_", " ") if name in ("subject", "poll") else value for name, _, value in pairs
    }


def _step(person: Person, line: str, now: datetime) -> Step:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a step of the story: {line}")
    words = match["flags"].split()
    agent = words.pop(0) if words and match["what"] not in ("in", "edit") else ""
    text = match["text"].replace("\\n", "\n")
    return Step(when(match["when"], now), person, match["what"], agent, _flags(" ".join(words)), text)


def when(text: str, now: datetime) -> datetime:
    """`6d 10:12` or `-2h10m` as a time."""
    if text.startswith("-"):
        return now - _span(text[1:])
    days, _, clock = text.partition("d ")
    day = now.astimezone(ZONE).date() - timedelta(days=int(days))
    return datetime.combine(day, time.fromisoformat(clock), ZONE)


def ahead(text: str, now: datetime) -> datetime:
    """`+1d`, `-2h` or `3h`: a time before or after now; days end at six in the evening."""
    span = _span(text.lstrip("+-"))
    at = now - span if text.startswith("-") else now + span
    if text.endswith("d"):
        at = at.astimezone(ZONE).replace(hour=18, minute=0, second=0, microsecond=0)
    return at


def _span(text: str) -> timedelta:
    if text.endswith("d"):
        return timedelta(days=int(text[:-1]))
    match = _AGO.fullmatch("-" + text)
    if match is None:
        raise ValueError(f"not a time: {text}")
    return timedelta(hours=int(match[1] or 0), minutes=int(match[2] or 0))
