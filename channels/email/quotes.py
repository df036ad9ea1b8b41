"""The new part of an answer and the quoted rest. Nothing is deleted: what is folded is kept beside.

Headers of quotes are found by the rules of mail-parser-reply, to which the Russian ones are added
here. Its rules for English take quadratic time on long lines, so lines and text are capped before.
"""

import re
from dataclasses import dataclass
from functools import cache

from mailparser_reply.constants import MAIL_LANGUAGES, QUOTED_MATCH_INCLUDE
from mailparser_reply.parser import EmailMessage

LANGUAGES = ["ru", "en", "de"]
MAX_CHARACTERS = 64_000
MAX_LINE = 300
MAX_LINES = 2_000

_DAY = r"(?:\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}-\d{2}-\d{2}|\d{1,2}\s[а-яё]{3,10}\.?,?\s\d{4})"
_WEEKDAY = (
    r"(?:(?:пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье)\.?,?\s)?"
)
_NAMES = "От|Кому|Копия|Тема|Дата|Отправлено|Отправитель|Получатель"

RUSSIAN = {
    # Gmail, Yandex, mail.ru, Thunderbird, Apple: a date first, a colon at the end, one or two lines.
    "wrote_header": (
        r"^("
        + QUOTED_MATCH_INCLUDE
        + _WEEKDAY
        + r"(?:Пользователь\s|В\s)?"
        + _WEEKDAY
        + _DAY
        + r"(?=[^\n]{0,200}(?:\n[^\n]{1,120})?:$)[^\n]{0,200}?(?:\n[^\n]{1,120})?"
        + r"(?:пишет|(?:на)?писал\(?а?\)?|<[^<>\s\n]{3,80}>|[\w.+-]{1,60}@[\w.-]{1,60})\s?:)$"
    ),
    # Outlook in Russian, and forwarded mails: at least two of the fields, one under the other.
    "from_header": (
        r"((?:(?:^|\n|\n"
        + QUOTED_MATCH_INCLUDE
        + r")[* ]*(?:"
        + _NAMES
        + r"):[ *][^\n]{0,250}){2,}(?:\n[^\n]{0,250})?)"
    ),
    "disclaimers": [],
    "signatures": ["С уважением", "Спасибо,", "Best,"],
    "sent_from": "Отправлено с |Отправлено из |Отправлено от ",
}

# Separators that the library knows in English only.
_SEPARATOR = re.compile(
    r"^(?:-{2,}\s?(?:Исходное сообщение|Пересылаемое сообщение|Пересланное сообщение|Original Message|"
    r"Forwarded message|Конец пересылаемого сообщения)\s?-{2,}|_{32,}|-{8,}\s?$)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    rf"^[>* ]*(?:{_NAMES}|From|Sent|To|Subject|Date|Cc|Von|Gesendet|An|Betreff):", re.IGNORECASE
)
_FORWARD = re.compile(r"^[>\s-]*(?:пересыла|переслан|(?:begin )?forwarded|начало пересыл)", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"^(?:--|—|Отправлено (?:с|из|от) .{0,80}|Sent from .{0,80}|С уважением\b.{0,80})\s*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Folded:
    """`visible` is what the sender wrote now, `quoted` the rest (empty: there is none)."""

    visible: str
    quoted: str = ""


def fold(text: str) -> Folded:
    """Split an answer. Answers between quoted lines stay whole; so does what would leave nothing."""
    lines = text.split("\n")
    at = _quote_start(lines)
    if at is None:
        return Folded(text)
    visible = "\n".join(lines[:at]).rstrip()
    if not visible.strip():
        return Folded(text)
    return Folded(visible, "\n".join(lines[at:]).strip("\n"))


def _quote_start(lines: list[str]) -> int | None:
    """Index of the line with which the quoted rest begins."""
    header = _header(lines)
    if header is None:
        return _trailing_quote(lines)
    kind, start, end = header
    # What the customer passes on from somebody else is new to us.
    if _FORWARD.search(lines[start]) or (kind == "wrote" and _answers_between(lines[end:])):
        return None
    return start


def _header(lines: list[str]) -> tuple[str, int, int] | None:
    """Kind and lines (from, to) of the first header of a quote."""
    capped = [_capped(line) for line in lines[:MAX_LINES]]
    while sum(map(len, capped)) + len(capped) > MAX_CHARACTERS:
        capped = capped[: len(capped) * 3 // 4]
    first = next((number for number, line in enumerate(capped) if _separates(capped, number)), len(capped))
    content = "\n".join(capped[:first])
    match = _pattern().search(content)
    if match:
        # A header may begin with the line break before it, and one rule takes a line too many.
        start = content.count("\n", 0, match.start() + len(match[0]) - len(match[0].lstrip("\n")))
        end = start + match[0].strip("\n").count("\n") + 1
        return ("from" if _FIELD.match(capped[start]) else "wrote"), start, end
    return ("from", first, first + 1) if first < len(capped) else None


def _separates(lines: list[str], number: int) -> bool:
    line = lines[number]
    if not _SEPARATOR.match(line):
        return False
    if line.strip("-_ "):
        return True
    # A bare rule separates only when the fields of a mail follow; otherwise it is somebody's ornament.
    return any(_FIELD.match(following) for following in lines[number + 1 : number + 3])


def _capped(line: str) -> str:
    # A header is never that long; the length stays what it was for nobody but the pattern.
    line = line.strip()
    return line if len(line) <= MAX_LINE else "…"


def _answers_between(rest: list[str]) -> bool:
    """Whether somebody wrote below or between the quoted lines (a signature is no answer)."""
    seen_quote = False
    for line in rest:
        if line.startswith(">"):
            seen_quote = True
        elif seen_quote and line.strip():
            return not _SIGNATURE.match(line.strip())
    return False


def _trailing_quote(lines: list[str]) -> int | None:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    start = end
    while start and (lines[start - 1].startswith(">") or not lines[start - 1].strip()):
        start -= 1
    quoted = [line for line in lines[start:end] if line.startswith(">")]
    if len(quoted) < 2 or any(line.startswith(">") for line in lines[:start]):
        return None
    return start


@cache
def _pattern() -> re.Pattern[str]:
    MAIL_LANGUAGES.setdefault("ru", RUSSIAN)
    pattern: re.Pattern[str] = EmailMessage(text="", languages=list(LANGUAGES)).HEADER_REGEX
    return pattern
