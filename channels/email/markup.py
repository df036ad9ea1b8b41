"""Reading HTML of mails into a flat, well-nested list of tags and texts, in linear time.

Nothing here decides what is safe: it makes hostile markup small and regular, so that what comes
after (`html.sanitise`) cannot be made to work for minutes. Every tag it emits is closed, nesting and
attributes are bounded, comments and elements with their own grammar (script, style, svg…) are gone.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_CHARACTERS = 1_000_000
MAX_NESTING = 500
MAX_ATTRIBUTES = 100
MAX_TAGS = 60_000
MAX_TOKENS = 150_000
"""Tags that open or close, and texts between them."""


def words(listed: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(listed.split())


VOID = words("area base br col embed hr img input link meta param source track wbr")
# Their content is not mail text, or is read by other rules than those of HTML.
SKIPPED = words(
    "script style svg math title textarea xmp iframe noembed noframes noscript plaintext template "
    "select object applet audio video canvas head"
)
# An opening tag closes an open neighbour of the same kind.
SELF_CLOSING = words("p li td th tr dt dd option")

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:_-]{0,40}")
_ATTRIBUTE = re.compile(
    r"[\s/]*+([^\s/>=\"'<][^\s/>=]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"'][^\s>]*+)|(?=[\s>])))?"
)
_END = re.compile(r"[\s/]*+>")
_COMMENT_END = re.compile(r"--!?>")


class TooComplex(Exception):
    """The markup is beyond the limits; the mail is shown as text."""


@dataclass(slots=True)
class Open:
    """An opening tag. `depth` counts from 0."""

    name: str
    depth: int
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Close:
    """A closing tag; follows every `Open` that is not void."""

    name: str
    depth: int


Token = Open | Close | str


def read(source: str) -> Iterator[Token]:
    """Tags and texts (entities resolved) of `source`; raises `TooComplex`."""
    if len(source) > MAX_CHARACTERS:
        raise TooComplex("size")
    stack: list[str] = []
    count = 0
    for number, item in enumerate(_scan(source)):
        if number > MAX_TOKENS:
            raise TooComplex("tokens")
        if isinstance(item, Open):
            count += 1
            if count > MAX_TAGS or len(stack) >= MAX_NESTING:
                raise TooComplex("tags" if count > MAX_TAGS else "nesting")
            yield from _opened(item, stack)
        elif isinstance(item, Close):
            yield from _closed(item.name, stack)
        else:
            yield item
    while stack:
        yield Close(stack.pop(), len(stack))


def _opened(tag: Open, stack: list[str]) -> Iterator[Token]:
    if tag.name in SELF_CLOSING and stack and stack[-1] == tag.name:
        yield Close(stack.pop(), len(stack))
    tag.depth = len(stack)
    yield tag
    if tag.name not in VOID:
        stack.append(tag.name)


def _closed(name: str, stack: list[str]) -> Iterator[Token]:
    # A cell or a table is not closed by a stray tag from inside of it.
    if name not in stack:
        return
    if name not in ("table", "tr", "td", "th") and "td" in stack:
        last_cell = len(stack) - 1 - stack[::-1].index("td")
        if name not in stack[last_cell:]:
            return
    while stack:
        top = stack.pop()
        yield Close(top, len(stack))
        if top == name:
            return


def _scan(source: str) -> Iterator[Token]:
    position, size = 0, len(source)
    unclosed: set[str] = set()
    while position < size:
        start = source.find("<", position)
        if start < 0:
            yield html.unescape(source[position:])
            return
        if start > position:
            yield html.unescape(source[position:start])
        token, position = _markup(source, start, unclosed)
        if token is None:
            continue
        yield token


def _markup(source: str, start: int, unclosed: set[str]) -> tuple[Token | None, int]:
    following = source[start + 1 : start + 2]
    if following == "!" or following == "?":
        return None, _declaration(source, start)
    closing = following == "/"
    match = _NAME.match(source, start + 1 + closing)
    if not match:
        return "<", start + 1
    name = match[0].lower()
    if closing:
        end = source.find(">", match.end())
        return Close(name, 0), len(source) if end < 0 else end + 1
    attributes, position = _attributes(source, match.end())
    if name in SKIPPED:
        return None, _skip(source, name, position, unclosed)
    return Open(name, 0, attributes), position


def _declaration(source: str, start: int) -> int:
    if source.startswith("<!--", start):
        if source.startswith((">", "->"), start + 4):
            return source.index(">", start) + 1
        match = _COMMENT_END.search(source, start + 4)
        return match.end() if match else len(source)
    end = source.find(">", start)
    return len(source) if end < 0 else end + 1


def _attributes(source: str, position: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while True:
        end = _END.match(source, position)
        if end:
            return found, end.end()
        match = _ATTRIBUTE.match(source, position)
        if not match:
            # Junk such as a stray quote: on to the end of the tag.
            end_at = source.find(">", position)
            return found, len(source) if end_at < 0 else end_at + 1
        value = next((group for group in match.groups()[1:] if group is not None), "")
        found.setdefault(match[1].lower(), html.unescape(value))
        if len(found) > MAX_ATTRIBUTES:
            raise TooComplex("attributes")
        position = match.end()


def _skip(source: str, name: str, position: int, unclosed: set[str]) -> int:
    """Position after the element: its content is dropped. One that never closes costs only its tag,
    except those whose content would be code. `unclosed` spares searching in vain again and again.
    """
    if name not in unclosed:
        match = re.compile(rf"</{name}\b[^>]*+>", re.IGNORECASE).search(source, position)
        if match:
            return match.end()
        unclosed.add(name)
    return len(source) if name in ("script", "style", "plaintext") else position
