"""`inbound.db`: understanding and storing messages, 8 at a time in one process, against pgbench with the
same statement on the same data."""

import asyncio
import re
import subprocess
import tempfile
import time
from pathlib import Path

from app.core.embedded import EmbeddedServer
from app.core.secrets import open_box
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, pgbench, stage, vk_message
from channels import inbound
from channels.base import RawEvent
from channels.gateway import Gateway
from dialogs import inbox, store

PEOPLE = 500
LANES = 8


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, seconds, rounds = (200, 1, 1) if smoke else (4000, 4, 3)
    async with stage(running) as on:
        await _drain(on, 0, PEOPLE)  # everybody is known from here on
        taken = []
        for number in range(1, rounds + 1):
            limit = await asyncio.to_thread(_limit, on, seconds)
            taken.append((await _drain(on, number, count), limit))
    return [figure.of("inbound.db", "messages/s", taken)]


async def _drain(on: Stage, series: int, count: int) -> float:
    """Messages a second from stored raw events to the thread, by the product's own loop."""
    events = [
        RawEvent(
            key=f"{series}:{n}",
            payload=vk_message(on, person=n % PEOPLE, number=series * 1_000_000 + n),
            lane=str(n % PEOPLE),
        )
        for n in range(count)
    ]
    async with on.db.transaction() as session:
        await inbound.store(session, on.channel_id, events)
    gateway = Gateway(open_box(on.settings), on.settings)
    began = time.perf_counter()
    done = await asyncio.gather(*(inbox.drain(on.db, gateway, on.settings) for _ in range(LANES)))
    spent = time.perf_counter() - began
    if sum(done) != count:
        raise RuntimeError(f"{sum(done)} of {count} events were understood")
    return count / spent


def _limit(on: Stage, seconds: int) -> float:
    """Transactions a second of the same statement, by pgbench."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "store.sql"
        script.write_text(_script(on))
        command = [
            str(pgbench()),
            "-n",
            "-M",
            "prepared",
            "-c",
            str(LANES),
            "-j",
            "2",
            "-T",
            str(seconds),
            "-f",
            str(script),
            on.url,
        ]
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
    }
    sql = re.sub(r"\$(\d+)", lambda match: values[int(match.group(1))], store.statement())
    sql = re.sub(r"--[^\n]*", "", sql)
    draw = f"\\set person random(0, {PEOPLE - 1})\n\\set unique random(10000000000, 9000000000000000000)\n"
    return f"{draw}{sql};\n"
