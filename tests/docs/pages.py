"""Reading the documentation: its files, headings, links and fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line it begins in."""

    language: str
    text: str
    line: int


def every_page() -> list[Path]:
    """All documentation, with the READMEs beside the code."""
    found = [ROOT / "README.md", ROOT / "README.ru.md", ROOT / "CHANGELOG.md"]
    found += sorted((ROOT / "docs").rglob("*.md"))
    found += sorted((ROOT / "channels").glob("*/README.md"))
    return [*found, ROOT / "console" / "README.md"]


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def headings(page: Path) -> Iterator[tuple[int, str]]:
    """Level and text of each heading."""
    for match in re.finditer(r"^(#+) (.+?)\s*$", prose(page), re.MULTILINE):
        yield len(match[1]), match[2]


def anchors(page: Path) -> set[str]:
    """What `#…` of a link may name, as GitHub makes it of headings."""
    return {
        re.sub(r"[^\w\- ]", "", text.replace("`", "").lower()).strip().replace(" ", "-")
        for _, text in headings(page)
    }


def links(page: Path) -> list[str]:
    """Targets of links and pictures."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def table_column(page: Path, header: str) -> list[str]:
    """First column of the table whose header row begins with `header`."""
    rows, inside = [], False
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] == header:
            inside = True
        elif inside and not line.startswith("|"):
            inside = False
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells[0])
    return rows
