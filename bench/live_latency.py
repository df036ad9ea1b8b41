"""`live.latency`: from the webhook's 200, as its poster reads it, to the frame in each console's hands, at
200 messages a second and 200 consoles of which 30 see each, against the commit of such a message.

The limit is the product's own statement on a bare connection, in a database of its own on the same server
at the same time; `.small` compares with the commit of one small row instead.
"""

import asyncio
import statistics
import time

from app.core.embedded import EmbeddedServer
from bench import figure, listeners, poster, readers
from bench.crowd import Crowd, crowd
from bench.figure import Figure
from bench.listeners import Heard
from bench.stage import Stage, serving, stage, vk_message

RATE = 200
COMMITS = 100
PEOPLE = 400
_STARTING = 1.5
_TEXT = r'"type":"message.created".*?"text":"#(\d+)#"'


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    agents, teams, count, rounds = (20, 5, 40, 1) if smoke else (200, 20, 2000, 3)
    shares = {"p50": 0.5, "p99": 0.99}
    taken: dict[str, list[tuple[float, float]]] = {}
    async with stage(running) as on, stage(running) as alone, serving(on) as address:
        desk = await crowd(on, agents=agents, teams=teams)
        await _round(on, alone, desk, address, start=0, count=PEOPLE)  # everybody is known from here on
        for number in range(1, rounds + 1):
            live, commits = await _round(on, alone, desk, address, start=number * 1_000_000, count=count)
            for name, share in shares.items():
                for limit, kind in (("", "message"), (".small", "small")):
                    pair = (_share(live, share), _share(commits[kind], share))
                    taken.setdefault(f"live.latency.{name}{limit}", []).append(pair)
    return [figure.of(name, "ms", pairs) for name, pairs in sorted(taken.items())]


def _share(values: list[float], share: float) -> float:
    if share == 0.5:
        return statistics.median(values) * 1000
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def _round(
    on: Stage, alone: Stage, desk: Crowd, address: str, *, start: int, count: int
) -> tuple[list[float], dict[str, list[float]]]:
    """Seconds of every delivery of every message, and of the commits meanwhile."""
    cursor = await readers.cursor(address, on.token)
    headers = [readers.bearer(token) for token in desk.tokens]
    requests = [_request(on, desk, start, n) for n in range(count)]
    given = {"url": alone.url, "channel_id": str(alone.channel_id), "count": count * COMMITS // RATE}
    path = f"/api/v1/live?after={cursor}"
    async with listeners.listening(address, path, headers, pattern=_TEXT) as consoles:
        at = time.perf_counter() + _STARTING  # who still imports takes time from the others
        answered, commits = await asyncio.gather(
            poster.run(address, requests, RATE, at=at),
            poster.elsewhere("bench.committer", str(COMMITS), given=given | {"at": at}),
        )
        heard = await consoles.heard()
    return _latencies(heard, desk, answered, start), commits


def _request(on: Stage, desk: Crowd, start: int, n: int) -> poster.Request:
    """A message of one of the people, each of whom writes to one of the channels."""
    person = n % PEOPLE
    text = f"#{start + n}#"
    body = vk_message(on, person=person, number=start + n + 1, text=text)
    return desk.hooks[person % len(desk.hooks)], body.decode(), ""


def _latencies(heard: Heard, desk: Crowd, answered: list[float], start: int) -> list[float]:
    found = [max(0.0, at - answered[int(number) - start]) for at, number in heard]
    expected = len(answered) * desk.seen_by
    if len(found) != expected:
        raise RuntimeError(f"{len(found)} of {expected} deliveries were made")
    return found
