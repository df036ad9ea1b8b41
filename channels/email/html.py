"""HTML of a mail made safe to show, and the same as plain text.

Remote pictures are never loaded: their address waits in `data-src`; pictures of the mail itself are
named in `data-cid`. Quoted mails fold into `<details>`, which needs no script.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import nh3

from channels.email import markup
from channels.email.charsets import clean
from channels.email.markup import Close, Open, TooComplex, words

BLOCKS = words(
    "address article aside blockquote caption center dd details div dl dt fieldset footer form h1 h2 h3 "
    "h4 h5 h6 header hr li main nav ol p pre section table tbody tfoot thead tr ul"
)
TAGS = words(
    "a abbr address article aside b big blockquote br caption center cite code col colgroup dd del details "
    "dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark "
    "nav ol p pre q s samp section small span strike strong sub summary sup table tbody td tfoot th thead "
    "time tr tt u ul var wbr"
)
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "dir", "lang", "title", "align", "valign", "width", "height", "bgcolor"},
    "a": {"href"},
    "img": {"alt", "data-src", "data-cid"},
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "col": {"span"},
    "ol": {"start", "type"},
    "details": {"data-quote"},
}
STYLES = words(
    "background-color border border-bottom border-collapse border-color border-left border-radius "
    "border-right border-spacing border-style border-top border-width color direction font font-family "
    "font-size font-style font-variant font-weight height letter-spacing line-height list-style-type margin "
    "margin-bottom margin-left margin-right margin-top max-width min-width padding padding-bottom "
    "padding-left padding-right padding-top text-align text-decoration text-indent text-transform "
    "vertical-align white-space width word-break word-wrap"
)
SCHEMES = {"http", "https", "mailto", "tel"}

# A style with any of these could fetch or run something, or hides what it does.
_BAD_STYLE = re.compile(
    r"url|image|expression|import|behavior|binding|var\s*\(|attr\s*\(|[\\@<]|/\*", re.IGNORECASE
)
_REMOTE = re.compile(r"(?:https?:)?//[^\s]", re.IGNORECASE)
_OUTLOOK_MARKS = ("appendonsend", "divrplyfwdmsg", "mail-editor-reference-message-container")
_OUTLOOK_LINE = re.compile(r"border:\s*none;\s*border-top:\s*solid\s*#(?:e1e1e1|b5c4df)", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")


@dataclass(frozen=True, slots=True)
class Page:
    """A mail's HTML: safe to show, and as text with `> ` before quoted lines."""

    html: str
    text: str
    cids: frozenset[str] = frozenset()
    """Content-IDs of pictures that it shows."""


def read(source: str) -> Page:
    """Safe HTML and text of `source`. Beyond the limits of `markup`: no HTML, text by a simple rule."""
    try:
        tokens = list(markup.read(source))
    except TooComplex:
        return Page("", strip(source))
    writer = _Writer()
    for token in tokens:
        writer.take(token)
    regular = "".join(writer.parts)
    shown = writer.shows_something and len(regular) <= markup.MAX_CHARACTERS
    return Page(
        sanitise(regular) if shown else "", as_text(tokens), frozenset(writer.cids) if shown else frozenset()
    )


def sanitise(source: str) -> str:
    """The one policy. `source` must have come through `markup`, which bounds the work."""
    return nh3.clean(
        source,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=_filter,
        clean_content_tags={"script", "style"},
        filter_style_properties=set(STYLES),
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _filter(tag: str, name: str, value: str) -> str | None:
    if name == "style" and _BAD_STYLE.search(value):
        return None
    if name == "data-src" and not _REMOTE.match(value):
        return None
    if name == "href" and not re.match(r"(?:https?://|mailto:|tel:)", value, re.IGNORECASE):
        return None
    return value


@dataclass(slots=True)
class _Writer:
    """Writes tokens as regular HTML, with quotes folded and pictures disarmed."""

    parts: list[str] = field(default_factory=list)
    cids: set[str] = field(default_factory=set)
    folds: list[tuple[int, str]] = field(default_factory=list)
    shows_something: bool = False

    def take(self, token: markup.Token) -> None:
        if isinstance(token, str):
            self.shows_something = self.shows_something or bool(token.strip())
            self.parts.append(html.escape(clean(token)))
        elif isinstance(token, Open):
            self._open(token)
        else:
            self._close(token)

    def _open(self, tag: Open) -> None:
        if not self.folds and _starts_quote(tag):
            # After Outlook's mark everything up to the end of the parent is the quoted mail.
            ends_with = "self" if tag.name == "blockquote" else "parent"
            self.folds.append((tag.depth, ends_with))
            self.parts.append('<details data-quote="1"><summary>•••</summary>')
        if tag.name == "img":
            self.shows_something = True
            self._picture(tag.attributes)
        if tag.name in TAGS:
            self.parts.append(f"<{tag.name}{_attributes(tag.attributes)}>")

    def _close(self, tag: Close) -> None:
        if self.folds and self.folds[-1][1] == "parent" and tag.depth < self.folds[-1][0]:
            self.folds.pop()
            self.parts.append("</details>")
        if tag.name in TAGS:
            self.parts.append(f"</{tag.name}>")
        if self.folds and self.folds[-1] == (tag.depth, "self"):
            self.folds.pop()
            self.parts.append("</details>")

    def _picture(self, attributes: dict[str, str]) -> None:
        source = attributes.pop("src", "").strip()
        attributes.pop("data-src", None)
        attributes.pop("data-cid", None)
        if source.lower().startswith("cid:"):
            # RFC 2392: in the address the id is percent-encoded, in the part's header it is not.
            content_id = clean(unquote(source[4:]))
            attributes["data-cid"] = content_id
            self.cids.add(content_id)
        elif _REMOTE.match(source):
            attributes["data-src"] = source


def _starts_quote(tag: Open) -> bool:
    if tag.name == "blockquote":
        return True
    if tag.name != "div":
        return False
    mark = tag.attributes.get("id", "").lower().removeprefix("x_")
    return mark in _OUTLOOK_MARKS or bool(_OUTLOOK_LINE.search(tag.attributes.get("style", "")))


def _attributes(values: dict[str, str]) -> str:
    return "".join(
        f' {name}="{html.escape(clean(value))}"'
        for name, value in values.items()
        if re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name)
    )


def as_text(tokens: list[markup.Token]) -> str:
    """Text of a page: lines for blocks, `> ` before quoted lines, addresses of links dropped."""
    kept: list[str] = []
    for line in _lines(tokens):
        if not line.strip("> ") and kept and not kept[-1].strip("> "):
            # Of blank lines in a row one stays, the one outside of the quote.
            kept[-1] = min(kept[-1], line, key=len)
        else:
            kept.append(line)
    while kept and not kept[-1].strip("> "):
        kept.pop()
    return "\n".join(kept).strip("\n")


def _lines(tokens: list[markup.Token]) -> Iterator[str]:
    line: list[str] = []
    quoted = preformatted = 0
    for token in tokens:
        if isinstance(token, str):
            line.append(token if preformatted else _SPACES.sub(" ", token))
            continue
        breaks = token.name in BLOCKS or token.name == "br"
        if breaks and (line or (token.name == "br" and isinstance(token, Open))):
            yield _line(line, quoted)
            line = []
        step = 1 if isinstance(token, Open) else -1
        quoted += step * (token.name == "blockquote")
        preformatted += step * (token.name == "pre")
        if isinstance(token, Open):
            line += {"li": ["• "], "td": [" "], "hr": ["———"]}.get(token.name, [])
        elif token.name in ("p", "blockquote", "table", "ul", "ol", "h1", "h2", "h3"):
            yield _line([], quoted)
    yield _line(line, quoted)


def _line(parts: list[str], quoted: int) -> str:
    content = clean("".join(parts)).replace("\xa0", " ").rstrip()
    content = content.lstrip(" ") if content.startswith(" ") and content[:2] != "  " else content
    return ("> " * min(quoted, 5) + content).rstrip() if quoted else content


def strip(source: str) -> str:
    """Text of markup that is beyond the limits: tags are cut out, nothing is understood."""
    text = re.sub(r"<[^<>]*+>?", " ", source)
    return clean(re.sub(r"[ \t]{2,}", " ", html.unescape(text))).strip()
