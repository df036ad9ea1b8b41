"""Talks of the living traffic, read from `stories/talks_*.txt`, and new customers who have them."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from app.demo import events
from app.demo.script import LANGUAGES, Person

_FOLDER = Path(__file__).with_name("stories")
_NAMES = {
    "ru": {
        "f": "Алёна Вера Дарья Елена Зоя Инна Ксения Лариса Мила Надежда Полина Раиса Таисия Ульяна",
        "m": "Артём Борис Вадим Григорий Егор Захар Игорь Кирилл Лев Матвей Никита Пётр Роман Степан",
        "last": "Журавлёв Синицын Кленов Берёзкин Самоваров Пирогов Лужин Морозов Зимин Ветров Ложкин Сомов",
    },
    "en": {
        "f": "Alice Beatrice Cora Daisy Eleanor Freya Grace Harriet Ivy Joan Kitty Lucy Mabel Nora",
        "m": "Albert Basil Cedric Duncan Edgar Felix Gilbert Hugo Ivan Jasper Kenneth Lionel Miles Ned",
        "last": "Ashdown Birch Clover Dovecote Elmwood Fernsby Garland Hazel Inkwell Kettle Larkin Moss",
    },
}


@dataclass
class Talk:
    """What one customer says in turn, and what a colleague would answer. `lines`: (who, text)."""

    kind: str
    who: str
    locale: str
    subject: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)


def decks() -> tuple[list[Talk], dict[str, list[str]]]:
    """All talks, and words for those who have none: by language, or by the customer's key."""
    talks: list[Talk] = []
    words: dict[str, list[str]] = {}
    for language in LANGUAGES:
        for talk in _read(language):
            if talk.kind.startswith("*"):
                words[talk.kind[1:] or language] = [text for _, text in talk.lines]
            else:
                talks.append(talk)
    return talks, words


def _read(language: str) -> list[Talk]:
    found: list[Talk] = []
    for line in (_FOLDER / f"talks_{language}.txt").read_text().splitlines():
        if line.startswith("@"):
            kind, who, *rest = line[1:].split()
            subject = rest[0].partition("=")[2].replace("_", " ") if rest else ""
            found.append(Talk(kind, who, language, subject))
        elif line[:2] in ("< ", "> "):
            found[-1].lines.append((line[0], line[2:].replace("\\n", "\n")))
    return found


def newcomer(talk: Talk, dice: random.Random) -> Person:
    """Somebody new who will have this talk."""
    names = _NAMES[talk.locale]
    sex = talk.who if talk.who in "fm" else dice.choice("fm")
    last = dice.choice(names["last"].split())
    if talk.locale == "ru" and sex == "f":
        last += "а"
    first = dice.choice(names[sex].split())
    key = f"guest{events.number()}"
    about = {"face": str(2 * dice.randrange(500) + (sex == "f"))} if dice.random() < 0.4 else {}
    name = first if talk.kind == "webchat" and dice.random() < 0.5 else f"{first} {last}"
    return Person(key, name, [talk.kind], talk.locale, about)


def stranger(kind: str, external_id: str, name: str, locale: str) -> Person:
    """Somebody from an earlier run, of whom only the database knows."""
    return Person(external_id, name, [kind], locale, {"id": external_id, "mail": external_id})
