"""`search`: a page of the search for words common and rare, Russian and English, as an agent who may see a
part of the desk, against ranking all that holds the words; and (`.wait`) against 100 ms."""

from typing import Any
from urllib.parse import quote

import asyncpg

from app.core.embedded import EmbeddedServer
from bench import figure, large
from bench.figure import Figure
from dialogs.listing import MESSAGE_WORDS

_ASKED = {
    "ru": "заказ",
    "en": "order",
    "two": "заказ доставка",
    "or": "заказ or доставка or order or спасибо",
    "phrase": '"заказ доставка"',
    "rare": "836298",
}
_COMMON = ("ru", "en", "two", "or")
"""So much holds these words that ranking it all is out of the question; of a rare one that is the work."""
_MOST = 100.0
_SETTINGS = {"work_mem": "64MB", "jit": "off", "max_parallel_workers_per_gather": "0"}
"""As the search has them."""
_RANK_ALL = f"""
select id from messages
where {MESSAGE_WORDS} @@ websearch_to_tsquery('russian', $1) and direction <> 'system'
order by ts_rank_cd({MESSAGE_WORDS}, websearch_to_tsquery('russian', $1)) desc, id desc limit 20
"""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (2, 1) if smoke else (9, 3)
    figures = []
    async with large.opened(running, smoke=smoke) as on:
        bare = await asyncpg.connect(on.url, server_settings=_SETTINGS)
        for name, asked in _ASKED.items():
            taken = [await _round(on, bare, asked, count) for _ in range(rounds)]
            if name in _COMMON:
                figures.append(figure.of(f"search.{name}", "ms", taken))
            against = [(value, _MOST) for value, _ in taken]
            figures.append(figure.of(f"search.{name}.wait", "ms", against))
        await bare.close()
    return figures


async def _round(on: large.Large, bare: Any, asked: str, count: int) -> tuple[float, float]:
    async def search() -> None:
        await on.get(f"/search?q={quote(asked)}")

    async def rank_all() -> None:
        await bare.fetch(_RANK_ALL, asked, timeout=600)

    await search()
    return await large.median(search, count=count), await large.median(rank_all, count=1)
