"""`inbound.db`, `inbound.batch`, `inbound.writers`: from stored raw events to the thread, by the product's
own loop in one process, against pgbench with the same statement on the same data."""

import asyncio
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.core.embedded import EmbeddedServer
from app.core.secrets import open_box
from app.web.understanding import Understanding
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, pgbench, stage, vk_message
from channels import inbound
from channels.base import RawEvent
from channels.gateway import Gateway
from channels.inbound import Raw
from dialogs import inbox, store

PEOPLE = 500
LOOPS = 8
MANY = 16

Way = Callable[[Stage, Gateway, list[Raw]], Awaitable[None]]

_left = "select count(*) from inbound where state <> 'done'"


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, seconds, rounds = (100, 1, 1) if smoke else (4000, 4, 3)
    single, batch, writers = [], [], []
    async with stage(running, connections=MANY) as on:
        await understand(on, PEOPLE, backlog)  # everybody is known from here on
        for _ in range(rounds):
            limit = await asyncio.to_thread(statement_limit, on, seconds)
            single.append((await understand(on, count, one_by_one(LOOPS)), limit))
            batch.append((await understand(on, count, backlog), limit))
            alone = await understand(on, count // 4, one_by_one(1))
            writers.append((await understand(on, count, one_by_one(MANY)), alone))
    return [
        figure.of("inbound.db", "messages/s", single),
        figure.of("inbound.batch", "messages/s", batch),
        figure.of("inbound.writers", "messages/s", writers),
    ]


async def understand(on: Stage, count: int, way: Way) -> float:
    """Messages a second from stored raw events to the thread."""
    events = []
    for _ in range(count):
        number = next(on.numbers)
        payload = vk_message(on, person=number % PEOPLE, number=number)
        events.append(RawEvent(key=f"e{number}", payload=payload, lane=str(number % PEOPLE)))
    raws = await inbound.store_raw(on.db.raw, on.channel_id, events)
    gateway = Gateway(open_box(on.settings), on.settings)
    before = await on.db.raw.fetchval("select count(*) from messages")
    began = time.perf_counter()
    await way(on, gateway, raws)
    spent = time.perf_counter() - began
    stored = await on.db.raw.fetchval("select count(*) from messages") - before
    if stored != count or await on.db.raw.fetchval(_left):
        raise RuntimeError(f"{stored} of {count} messages were stored")
    return count / spent


def one_by_one(many: int) -> Way:
    """As they come in by webhook, so many of them under way at a time."""

    async def run(on: Stage, gateway: Gateway, raws: list[Raw]) -> None:
        understanding = Understanding(on.db, gateway, on.settings)
        rest = iter(raws)

        async def work() -> None:
            for raw in rest:
                done = understanding.at_once(raw)
                assert done is not None
                await done

        await asyncio.gather(*(work() for _ in range(many)))

    return run


async def backlog(on: Stage, gateway: Gateway, _raws: list[Raw]) -> None:
    """What has piled up, by the loops."""
    await asyncio.gather(*(inbox.drain(on.db, gateway, on.settings) for _ in range(LOOPS)))


def statement_limit(on: Stage, seconds: int) -> float:
    """Transactions a second of the same statement, by pgbench with as many clients."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "store.sql"
        script.write_text(_script(on))
        options = ["-n", "-M", "prepared", "-c", str(LOOPS), "-j", "2", "-T", str(seconds), "-f", str(script)]
        command = [str(pgbench()), *options, on.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None or done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
    return float(found.group(1))


def _script(on: Stage) -> str:
    """The product's statement with values of a message of a known person."""
    values = {
        1: f"'{on.channel_id}'::uuid",
        2: "'vk'::text",
        3: "'vk'::text",
        4: "(1000 + :person)::text",
        5: "''::text",
        6: "''::text",
        7: "''::text",
        8: "''::text",
        9: "''::text",
        10: "'Здравствуйте, где мой заказ?'::text",
        11: "null::text",
        12: "(1000 + :person)::text",
        13: "(:unique)::text",
        14: "''::text",
        15: "'{}'::jsonb",
        16: "interval '48 hours'",
        17: "'Здравствуйте, где мой заказ?'::text",
        18: "false",
        19: "null::uuid",
        20: "null::uuid",
        21: "null::bigint",
        22: "null::timestamptz",
        23: "'[]'::jsonb",
        24: "'{}'::text[]",
        25: "false",
        26: "null::uuid",
    }
    sql = re.sub(r"\$(\d+)", lambda match: values[int(match.group(1))], store.statement())
    sql = re.sub(r"--[^\n]*", "", sql)
    draw = f"\\set person random(0, {PEOPLE - 1})\n\\set unique random(10000000000, 9000000000000000000)\n"
    return f"{draw}{sql};\n"
