"""Things of VK that are no files – posts, goods, videos, links, polls, calls – and messages within messages.

Each becomes a line of text and a card in `meta.cards`: `{"kind", "title", "text", "url"}`, what is known.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

MAX_DEPTH = 5
"""Of messages forwarded within forwarded ones; deeper ones are left out, in so many words."""
MAX_TEXT = 1000
Attached = Callable[[dict[str, Any]], str]
_PAGES = {
    **{kind: kind for kind in ("video", "wall", "story", "poll", "narrative", "photo")},
    "market": "product",
}


def card(kind: str, body: dict[str, Any]) -> dict[str, str] | None:
    """What is known of it; None when there is nothing to show."""
    maker = _MAKERS.get(kind)
    found = maker(body) if maker else {"title": _text(body.get("title")), "url": _page(kind, body)}
    found = {name: value for name, value in found.items() if value}
    return {"kind": kind} | found if found else None


def line_of(card: dict[str, str]) -> str:
    """A card as text, its address last."""
    parts = [card.get("title", ""), card.get("text", ""), card.get("url", "")]
    return "\n".join(part for part in parts if part)


def _link(body: dict[str, Any]) -> dict[str, str]:
    url = _text(body.get("url"))
    known = url if urlsplit(url).scheme in ("http", "https") else ""
    title = _text(body.get("title"))
    return {"title": title if known and title != known else "", "url": known}


def _audio(body: dict[str, Any]) -> dict[str, str]:
    names = [_text(body[name]) for name in ("artist", "title") if body.get(name)]
    return {"title": "♫ " + " – ".join(names) if names else ""}


def _post(body: dict[str, Any]) -> dict[str, str]:
    page = {
        "owner_id": body.get("owner_id") or body.get("to_id") or body.get("from_id"),
        "id": body.get("id"),
    }
    return {"text": _text(body.get("text")), "url": _page("wall", page)}


def _goods(body: dict[str, Any]) -> dict[str, str]:
    price = body.get("price")
    cost = _text(price.get("text")) if isinstance(price, dict) else ""
    title = ", ".join(part for part in (_text(body.get("title")), cost) if part)
    return {"title": title, "url": _page("market", body)}


def _poll(body: dict[str, Any]) -> dict[str, str]:
    answers = [_text(answer.get("text")) for answer in items(body.get("answers"))]
    text = "\n".join(f"• {answer}" for answer in answers[:20] if answer)
    return {"title": _text(body.get("question")), "text": text, "url": _page("poll", body)}


def _call(body: dict[str, Any]) -> dict[str, str]:
    length = body.get("duration")
    lasted = f" {length // 60}:{length % 60:02}" if isinstance(length, int) and length > 0 else ""
    return {"title": f"☎{lasted}", "state": _text(body.get("state"))}


_MAKERS: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {
    "link": _link,
    "audio": _audio,
    "wall": _post,
    "market": _goods,
    "poll": _poll,
    "call": _call,
}


def _page(kind: str, body: dict[str, Any]) -> str:
    """Address of a thing that has a page of its own."""
    owner, number = body.get("owner_id"), body.get("id")
    if kind not in _PAGES or not isinstance(owner, int) or not isinstance(number, int):
        return ""
    return f"https://vk.com/{_PAGES[kind]}{owner}_{number}"


def _text(value: Any) -> str:
    return str(value).strip()[:MAX_TEXT] if isinstance(value, str | int | float) else ""


def forwarded(
    messages: list[dict[str, Any]], *, names: Mapping[str, str], attached: Attached, depth: int = 1
) -> list[str]:
    """Forwarded messages as quotes, those within them a level deeper.

    `attached` takes an attachment and returns a line for what is no file.
    """
    lines: list[str] = []
    mark = "> " * depth
    for message in messages:
        inner = [_author(message, names), *_text_lines(message.get("text"))]
        for attachment in items(message.get("attachments")):
            inner += _text_lines(attached(attachment))
        lines += [mark + line for line in inner if line]
        deeper = items(message.get("fwd_messages")) + items([message.get("reply_message")])
        if deeper and depth < MAX_DEPTH:
            lines += forwarded(deeper, names=names, attached=attached, depth=depth + 1)
        elif deeper:
            lines.append(f"{mark}> …")
    return lines


def _author(message: dict[str, Any], names: Mapping[str, str]) -> str:
    author = message.get("from_id")
    if not isinstance(author, int) or not author:
        return ""
    return f"{names.get(str(author)) or page_of(author)}:"


def page_of(author: int) -> str:
    """Where a person or a community is found: what is known of who has no name here."""
    return f"vk.com/{'id' if author > 0 else 'club'}{abs(author)}"


def _text_lines(text: Any) -> list[str]:
    return str(text).splitlines() if text else []


def items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
