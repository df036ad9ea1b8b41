"""What each figure is to reach, and the table that says whether it does."""

from collections.abc import Sequence

from bench.figure import Figure

AT_LEAST = {
    "inbound.db": 0.6,
    "inbound.batch": 1.3,
    "inbound.writers": 2.5,
    "inbound.webhook.vk": 0.35,
    "inbound.webhook.telegram": 0.35,
    "live.fanout.500": 0.7,
    "live.fanout.2000": 0.7,
    "live.fanout.5000": 0.7,
    "outbound": 0.4,
}
AT_MOST = {
    "webhook.cpu": 2.5,
    "live.latency.p50": 3.0,
    "live.memory": 2.5,
    "live.loss": 0.0,
    "inbox.page.first": 3.0,
    "inbox.page.hundredth": 3.0,
    "inbox.page.first.buffers": 1.0,
    "inbox.page.hundredth.buffers": 1.0,
    "thread.page": 2.0,
    "report.month": 2.0,
    "start.import": 4.0,
    "start.memory": 2.5,
}
AGAINST = {
    "live.latency.p50.small": "commit of a small row",
    "live.latency.p99.small": "commit of a small row",
    "live.latency": "commit of such a message",
    "live.fanout": "websockets.broadcast()",
    "live.memory": "idle websockets connection",
    "live.loss": "facts written",
}
"""What the limit of a figure is, by the beginning of its name; the rest: bench/README.md."""
_SEARCH = 0.3
_P99 = "2 x + 5 ms"


def wanted(figure: Figure) -> tuple[str, bool | None]:
    """What its ratio should be, and whether it is; None where nothing is asked."""
    name, ratio = figure.name, figure.ratio
    if name == "live.latency.p99":
        return _P99, figure.value <= 2 * figure.limit + 5
    if name.startswith("search.") and not name.endswith(".wait"):
        return f"<= {_SEARCH}", ratio <= _SEARCH
    if name.startswith("search."):
        return "<= 1", ratio <= 1
    if name in AT_LEAST:
        return f">= {AT_LEAST[name]}", ratio >= AT_LEAST[name]
    if name in AT_MOST:
        return f"<= {AT_MOST[name]}", ratio <= AT_MOST[name]
    return "", None


def against(figure: Figure) -> str:
    return next((what for name, what in AGAINST.items() if figure.name.startswith(name)), "")


def table(figures: Sequence[Figure]) -> str:
    """All figures as a table in Markdown, for a terminal and for a page."""
    rows: list[tuple[str, ...]] = [("name", "measured", "unit", "limit", "ratio", "wanted", "met", "against")]
    for one in figures:
        wish, met = wanted(one)
        mark = {True: "yes", False: "**no**", None: ""}[met]
        limit, ratio = (f"{one.limit:.4g}", f"{one.ratio:.3g}") if one.limit else ("", "")
        rows.append((one.name, f"{one.value:.4g}", one.unit, limit, ratio, wish, mark, against(one)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)
