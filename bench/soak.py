"""`soak`: the real programs at 120 % of what they can do, with consoles that do not read, a channel that
never answers and a database whose connections are all waiting: nothing lost, nothing doubled, memory flat,
and soon well again. Not a ratio to a limit, so not among the others: `python -m bench soak --minutes 10`."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil

from app.core.embedded import EmbeddedServer
from app.core.secrets import open_box
from bench.soak_load import Agents, Follower, Platform, Service, hold, mute
from bench.stage import Stage, stage
from channels import drafts
from channels.models import Channel
from channels.registry import load

OVERLOAD = 1.2
FOLLOWERS, MUTE = 5, 5
PATIENCE = 120.0
"""Seconds in which everything has to be settled after the load."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    value: float
    unit: str

    def line(self) -> str:
        return json.dumps({"name": f"soak.{self.name}", "value": round(self.value, 3), "unit": self.unit})


async def soak(running: EmbeddedServer, *, seconds: float) -> list[Finding]:
    """Raises `RuntimeError` when something was lost or doubled."""
    async with stage(running) as on, programs(on) as (address, processes):
        auth = {"Authorization": f"Bearer {on.token}"}
        async with httpx.AsyncClient(base_url=address, headers=auth, timeout=30) as client:
            return await _soak(on, client, address, processes, seconds)


async def _soak(
    on: Stage, client: httpx.AsyncClient, address: str, processes: list[psutil.Process], seconds: float
) -> list[Finding]:
    cursor = (await client.get("/api/v1/sync")).json()["cursor"]
    service, platform = Service(), Platform(on, address, senders=100)
    followers = [Follower(address, on.token, cursor) for _ in range(FOLLOWERS)]
    async with together(service.run, platform.run, *(one.run for one in followers)):
        await until(lambda: service.port > 0)
        quick = await _channel(on, client, f"http://127.0.0.1:{service.port}/quick")
        dead = await _channel(on, client, f"http://127.0.0.1:{service.port}/dead")
        agents = Agents(client, [*await _talks(on, client, quick), *await _talks(on, client, dead)])
        capacity = await _capacity(platform, min(10.0, seconds / 4))
        silent = [await mute(address, on.token, cursor) for _ in range(MUTE)]
        async with together(agents.run, lambda: hold(on.url, seconds=1.5, every=5)):
            before = await _load(platform, capacity * OVERLOAD, seconds, processes)
            agents.stopping = True
            ended = time.monotonic()
        await until(lambda: len(platform.accepted) == platform.made)
        await until(lambda: _settled(on, quick))
        recovery = time.monotonic() - ended
        await until(lambda: _all_seen(on, followers))
        repeats = await _check(on, platform, agents, service, quick, followers)
        closed = _closed(processes[0], silent)
        after = [process.memory_info().rss for process in processes]
    growth = max((b - a) / a for a, b in zip(before, after, strict=True))
    return [
        Finding("capacity", capacity, "webhooks/s"),
        Finding("accepted", len(platform.accepted), "webhooks"),
        Finding("refused", platform.refused, "answers 503, repeated"),
        Finding("answers", len(service.taken), "sent"),
        Finding("repeats", repeats, "answers sent again with the same key"),
        Finding("recovery", recovery, "s"),
        Finding("memory.growth", growth * 100, "% of the process that grew most"),
        Finding("mute.closed", closed, f"of {MUTE} consoles that did not read"),
    ]


# --- the programs and what is connected to them ---------------------------------------------


@asynccontextmanager
async def programs(on: Stage) -> AsyncIterator[tuple[str, list[psutil.Process]]]:
    """The real `otklik serve` and `otklik work`."""
    environment = os.environ | {
        "DATABASE_URL": on.url,
        "OTKLIK_PORT": str(on.settings.port),
        "OTKLIK_DATA_DIR": str(on.settings.data_dir),
        "OTKLIK_LOG_LEVEL": "error",
        "OTKLIK_UNDO_SECONDS": "0",
        "OTKLIK_MAX_WAITING": "50",
        "OTKLIK_SOCKETS_PER_AGENT": "1000",
    }
    started = [
        subprocess.Popen([sys.executable, "-m", "app.cli", name], env=environment)  # noqa: ASYNC220
        for name in ("serve", "work")
    ]
    address = f"http://127.0.0.1:{on.settings.port}"
    try:
        await until(lambda: _ready(address))
        yield address, [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            await asyncio.to_thread(process.wait, 30)


async def _ready(address: str) -> bool:
    async with httpx.AsyncClient() as client:
        with suppress(httpx.TransportError):
            return (await client.get(f"{address}/readyz")).status_code == 200
    return False


async def _channel(on: Stage, client: httpx.AsyncClient, url: str) -> UUID:
    """An API channel whose answers are posted to `url`."""
    values = {"callback_url": url, "signing_secret": "s" * 32, "http": {"timeout": 5}}
    id = uuid4()
    settings = load("api").Settings.model_validate(values)
    draft = drafts.Draft(id, "api", "soak", settings, webhook_key=id.hex, webhook_secret="")
    async with on.db.transaction() as session:
        channel = Channel(id=id, kind="api", name="soak", external_id=id.hex, webhook_key=id.hex)
        channel.settings, channel.secrets = draft.public(), open_box(on.settings).seal(draft.secrets())
        session.add(channel)
    return id


async def _talks(on: Stage, client: httpx.AsyncClient, channel_id: UUID, count: int = 4) -> list[str]:
    """Dialogs of new customers of a channel."""
    for number in range(count):
        sender = {"external_id": f"{channel_id}-{number}"}
        event = {"event_id": str(number), "sender": sender, "text": "Hello"}
        answer = await client.post(f"/api/v1/channels/{channel_id}/inbound", json=event)
        _need(answer.status_code == 202, answer.text)
    query = "select id::text from dialogs where channel_id = $1"

    async def found() -> list[str]:
        rows = [row["id"] for row in await on.db.raw.fetch(query, channel_id)]
        return rows if len(rows) == count else []

    ids: list[str] = await until(found)
    return ids


# --- the load -------------------------------------------------------------------------------


async def _capacity(platform: Platform, seconds: float) -> float:
    """Webhooks a second when the next is sent as soon as one is answered."""
    began, had = time.monotonic(), len(platform.accepted)
    while time.monotonic() - began < seconds:
        platform.offer(max(0, 30 - platform.waiting.qsize()))
        await asyncio.sleep(0.005)
    return (len(platform.accepted) - had) / (time.monotonic() - began)


async def _load(
    platform: Platform, rate: float, seconds: float, processes: list[psutil.Process]
) -> list[int]:
    """Offer webhooks at `rate`; returns the memory of the processes after a quarter of the time.

    The platform keeps three seconds' worth that was not taken; without that bound a long soak would end
    with minutes of repeating.
    """
    began, offered, memory = time.monotonic(), 0, [process.memory_info().rss for process in processes]
    warm = False
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate)
        platform.offer(min(due - offered, max(0, int(rate * 3) - platform.waiting.qsize())))
        offered = due
        if not warm and passed > seconds / 4:
            warm, memory = True, [process.memory_info().rss for process in processes]
        await asyncio.sleep(0.01)
    return memory


# --- afterwards -----------------------------------------------------------------------------


async def _settled(on: Stage, quick: UUID) -> bool:
    waiting = "select from messages where channel_id = $1 and status in ('queued', 'sending')"
    query = f"select exists ({waiting}) or exists (select from inbound where state = 'new')"
    return not await on.db.raw.fetchval(query, quick)


async def _all_seen(on: Stage, followers: list[Follower]) -> bool:
    count = await on.db.raw.fetchval("select count(*) from facts where type = 'message.created'")
    return all(len(one.seen) == count for one in followers)


async def _check(
    on: Stage,
    platform: Platform,
    agents: Agents,
    service: Service,
    quick: UUID,
    followers: list[Follower],
) -> int:
    """Raises when something was lost or doubled; returns how often an answer was sent again."""
    rows = await on.db.raw.fetch("select text from messages where channel_id = $1", on.channel_id)
    texts = [row["text"] for row in rows]
    expected = {f"n{number}" for number in platform.accepted}
    _need(set(texts) == expected, f"{len(expected - set(texts))} webhooks were lost")
    _need(len(texts) == len(expected), f"{len(texts) - len(expected)} webhooks were doubled")
    out = await on.db.raw.fetch(
        "select seq, channel_id, status, client_key from messages where direction = 'out'"
    )
    _need({row["client_key"] for row in out} >= set(agents.queued), "answers were lost")
    sent = {str(row["seq"]) for row in out if row["channel_id"] == quick and row["status"] == "sent"}
    _need(sent == set(service.taken), "what was sent and what was taken differ")
    _need(all(row["status"] == "sent" for row in out if row["channel_id"] == quick), "answers are not sent")
    _need(all(row["status"] != "sent" for row in out if row["channel_id"] != quick), "a dead channel sent")
    _need(all(count == 1 for one in followers for count in one.seen.values()), "a fact came twice")
    return sum(count - 1 for count in service.taken.values())


def _need(true: bool, wrong: str) -> None:
    if not true:
        raise RuntimeError(wrong)


def _closed(server: psutil.Process, silent: list[socket.socket]) -> int:
    """How many of the consoles that do not read the server has let go of."""
    held = {one.raddr.port for one in server.net_connections("tcp4") if one.raddr}
    gone = sum(line.getsockname()[1] not in held for line in silent)
    for line in silent:
        line.close()
    return gone


async def until(check: Callable[[], Any]) -> Any:
    """The first true value of `check`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = check()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError("it did not settle in time")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def together(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run these until the end of the block; a fault of one is a fault of all."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
