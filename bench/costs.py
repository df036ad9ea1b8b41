"""`costs`: what a message and a look of an agent cost, as the programs spend it: CPU of the web process, the
worker, PostgreSQL and the clients that share the machine. `bench.capacity` reckons with these figures, and
`cost.inbound.rate` is what it has to predict. They have no limit."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import psutil

from app.core.embedded import EmbeddedServer
from bench import poster
from bench.figure import Figure
from bench.inbound import PEOPLE
from bench.stage import Stage, listener, running, serving, stage
from bench.webhook import vk

_LOAD = 0.5
"""Of its capacity, while costs are measured: at much less each message wakes everybody for itself alone."""


@dataclass(frozen=True, slots=True)
class _Programs:
    web: psutil.Process
    work: psutil.Process
    database: psutil.Process

    def spent(self) -> dict[str, float]:
        """Seconds of CPU since each was started; of the clients, which have ended, all of theirs."""
        ours = resource.getrusage(resource.RUSAGE_SELF)
        theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "web": _cpu(self.web),
            "work": _cpu(self.work),
            "database": sum(_cpu(one) for one in (self.database, *self.database.children(recursive=True))),
            "client": sum((ours.ru_utime, ours.ru_stime, theirs.ru_utime, theirs.ru_stime)),
        }


async def measure(server: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, seconds = (50, 1.0) if smoke else (3000, 5.0)
    async with stage(server) as on, serving(on) as address, running(on, "work") as work:
        programs = _Programs(
            listener(on.settings.port),
            psutil.Process(work.pid),
            psutil.Process(await on.db.raw.fetchval("select pg_backend_pid()")).parent(),
        )
        await _messages(on, address, PEOPLE, 1e9)
        rate = count / await _messages(on, address, count, 1e9)
        began = programs.spent()
        await asyncio.sleep(seconds)
        idle = {name: (spent - began[name]) / seconds for name, spent in programs.spent().items()}
        start = await _cost(programs, idle, 1, lambda: _messages(on, address, 0, 1))
        inbound = await _cost(programs, idle, count, lambda: _messages(on, address, count, rate * _LOAD))
        inbound["client"] -= start["client"] / count
        look = await _cost(programs, idle, count // 5, lambda: _looks(on, address, count // 5))
    figures = [_figure(f"cost.inbound.{name}", value, "us") for name, value in inbound.items()]
    figures += [_figure(f"cost.look.{name}", value, "us") for name, value in look.items()]
    return [*figures, _figure("cost.inbound.rate", rate, "messages/s")]


def _figure(name: str, value: float, unit: str) -> Figure:
    return Figure(name, value, unit, limit=0, ratio=0, rounds=1)


async def _cost(
    programs: _Programs, idle: dict[str, float], count: int, act: Callable[[], Awaitable[float]]
) -> dict[str, float]:
    """Microseconds of CPU for one of `count`, without what the programs spend at rest."""
    before = programs.spent()
    seconds = await act()
    after = programs.spent()
    return {name: max(0, after[name] - before[name] - idle[name] * seconds) / count * 1e6 for name in before}


async def _messages(on: Stage, address: str, count: int, rate: float) -> float:
    """Seconds until all that were posted are in the thread."""
    make, before = vk(on), await on.db.raw.fetchval("select count(*) from messages")
    requests = [make(next(on.numbers)) for _ in range(count)]
    answered = await poster.run(address, requests, rate, began=True)
    while await on.db.raw.fetchval("select count(*) from messages") < before + count:
        await asyncio.sleep(0.01)
        if time.perf_counter() - answered[0] > 120:
            raise RuntimeError("messages are missing")
    return time.perf_counter() - answered[0]


async def _looks(on: Stage, address: str, count: int) -> float:
    """An agent reads the first page of the inbox, and a thread."""
    customers = await on.db.raw.fetch("select customer_id from dialogs limit 100")
    began = time.perf_counter()
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {on.token}"}
    ) as client:
        for number in range(count):
            customer = customers[number % len(customers)]["customer_id"]
            for path in ("/dialogs?status=open", f"/customers/{customer}/messages"):
                (await client.get(path)).raise_for_status()
    return time.perf_counter() - began


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
