"""What a search asks for, in PostgreSQL's words; and the part of a text that answers it.

Words are found by their stems, Russian and English, `ё` as `е`; `"a phrase"`, `or` and `-not` as in web
searches; numbers, phones and addresses as they were written.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    DOUBLE_PRECISION,
    Boolean,
    ColumnElement,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession

from dialogs.listing import MESSAGE_WORDS
from dialogs.schemas import FragmentPart

_TERM = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_FOLLOWED_BY = re.compile(r"<(-|\d+)>")
_JOINT = re.compile(r"[-/+<]+")
_PHONE = re.compile(r"\+?\d[\d\s()\-]{5,}\d")
_BEGINNING = 3
"""Letters that a beginning of a word needs: fewer would match a good part of all messages."""
MARKS = ("\x01", "\x02")
_BEFORE, _LENGTH = 60, 220
"""A fragment begins so many letters before the first match, and is so long."""
_PLANNING = {
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
}
"""A common word and a rare one need different plans; a bitmap of messages must not become one of pages."""
_LOOKED_AT = 20_000
"""Letters of a text in which matches are marked."""


def holds(query: str, *, text: str = "messages.text") -> ColumnElement[bool]:
    """Condition on `Message`, by the index: its text answers the query."""
    return _words(text).op("@@", return_type=Boolean)(_bound(query))


def unordered(query: str) -> str:
    """A query that all answers to `query` answer too, with phrases as words in any order.

    The planner takes a phrase for so rare that it would read every text of a month that has its words.
    """
    return query if "!" in query else _FOLLOWED_BY.sub("&", query)


def rank(query: str) -> ColumnElement[float]:
    """How well a message answers: how often and how close together; by its beginning, as mails are long."""
    return cast(func.ts_rank_cd(_words("left(messages.text, 1000)"), _bound(query)), DOUBLE_PRECISION)


def marked_text(query: str) -> ColumnElement[str]:
    """The message's text with marks around its matches, for `fragment`."""
    plain: ColumnElement[str] = literal_column(
        f"translate(left(messages.text, {_LOOKED_AT}), E'ёЁ-/+<\\x01\\x02', 'ее      ')"
    )
    options = f'HighlightAll=true, StartSel="{MARKS[0]}", StopSel="{MARKS[1]}"'
    return func.ts_headline(literal_column("'russian'"), plain, _bound(query), options)


def _words(text: str) -> ColumnElement[Any]:
    return literal_column(MESSAGE_WORDS.replace("text,", f"{text},"), TSVECTOR)


def _bound(query: str) -> ColumnElement[Any]:
    return cast(bindparam(None, query, TSQUERY), TSQUERY)


@dataclass(frozen=True, slots=True)
class Words:
    """A search as websearch_to_tsquery reads it; `beginning`: of a word that is still being typed."""

    text: str
    beginning: str = ""


def read(asked: str, *, typing: bool) -> Words:
    """Bring a query to the form in which texts are indexed. `typing`: its last word may be unfinished."""
    asked = asked.translate(str.maketrans("ёЁ", "ее"))
    if _PHONE.fullmatch(asked.strip()):
        return Words(f'"{_JOINT.sub(" ", asked)}"')
    terms = [_term(*match.groups()) for match in _TERM.finditer(asked)]
    last = terms[-1] if terms else ""
    grows = typing and not asked[-1:].isspace() and len(last) >= _BEGINNING and last.isalnum()
    if grows and "or" not in (term.lower() for term in terms):
        return Words(" ".join(terms[:-1]), beginning=last.lower())
    return Words(" ".join(terms))


def _term(minus: str, phrase: str | None, word: str | None) -> str:
    if word is None:
        return f'{minus}"{_JOINT.sub(" ", phrase or "")}"'
    minus = "-" if word.startswith("-") else ""
    parts = _JOINT.sub(" ", word.replace('"', " ")).split()
    if len(parts) > 1:
        return f'{minus}"{" ".join(parts)}"'
    return minus + parts[0] if parts else ""


async def query_of(session: AsyncSession, words: Words) -> str | None:
    """The tsquery; None when nothing is asked for that could be found: only common words, or only `-not`.

    Also readies the transaction for the statements that search with it.
    """
    query = func.websearch_to_tsquery(literal_column("'russian'"), words.text)
    if words.beginning:
        whole = func.websearch_to_tsquery(literal_column("'russian'"), words.beginning)
        begun = func.to_tsquery(literal_column("'simple'"), f"{words.beginning}:*")
        either = whole.op("||")(begun)
        query = func.coalesce(
            select(query.op("&&")(either)).where(func.numnode(whole) > 0).scalar_subquery(), query
        )
    settings = (func.set_config(name, value, True) for name, value in _PLANNING.items())
    row = (await session.execute(select(cast(query, Text), func.querytree(query), *settings))).one()
    return row[0] if row[1] not in ("", "T") else None


def fragment(text: str, marked: str) -> list[FragmentPart]:
    """The part of `text` around its first match. `marked`: the same text with marks around its matches."""
    spans = _spans(marked)
    if len(marked) - 2 * len(spans) != len(text[:_LOOKED_AT]):
        spans = []
    start = _word_start(text, max(0, spans[0][0] - _BEFORE)) if spans else 0
    stop = min(len(text), max(start + _LENGTH, spans[0][1] if spans else 0))
    parts: list[tuple[str, bool]] = []
    at = start
    for begin, end in spans:
        if end > stop:
            break
        parts += [(text[at:begin], False), (text[begin:end], True)]
        at = end
    parts.append((text[at:stop] + ("…" if stop < len(text) else ""), False))
    if start:
        parts[0] = ("…" + parts[0][0], False)
    return [FragmentPart(text=part, match=match) for part, match in parts if part]


def _spans(marked: str) -> list[tuple[int, int]]:
    """Where the matches are, without the marks."""
    found, begin, shift = [], 0, 0
    for at, sign in enumerate(marked):
        if sign == MARKS[0]:
            begin, shift = at - shift, shift + 1
        elif sign == MARKS[1]:
            found.append((begin, at - shift))
            shift += 1
    return found


def _word_start(text: str, at: int) -> int:
    """The beginning of the word that follows `at`, if there is one near."""
    space = re.compile(r"\s").search(text, at, at + 20) if at else None
    return space.end() if space else at
