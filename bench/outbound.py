"""`outbound`: queued to `sent` by an adapter that answers at once, 8 at a time in one process, against
pgbench with the same two transactions on the same data.

`outbound.cpu`: this process's CPU for one message, against the two statements alone through asyncpg.
"""

import asyncio
import re
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import UUID

from app.core.embedded import EmbeddedServer
from app.core.files import open_files
from bench import figure
from bench.figure import Figure
from bench.stage import Stage, pgbench, stage
from channels.base import Adapter, OutgoingMessage, Sent
from dialogs import outbox, settle
from dialogs.lanes import Lanes

DIALOGS = 32
LANES = 8
_PEOPLE = """
with who as (insert into customers (name) select 'Person ' || n from generate_series(1, $1) n returning id),
talk as (insert into dialogs (customer_id, channel_id) select id, $2 from who returning customer_id)
insert into identities (customer_id, scope, external_id, kind)
select customer_id, 'vk', 'bench-' || row_number() over (), 'vk' from talk
"""
_QUEUE = """
insert into messages (customer_id, dialog_id, channel_id, identity_id, chat, direction, status, text,
                      send_after)
select d.customer_id, d.id, d.channel_id, i.id, i.external_id, 'out', 'queued', 'Answer ' || n, now()
from generate_series(1, $1) n, dialogs d join identities i using (customer_id)
order by n
"""


class AtOnce:
    """A platform that takes everything at once, and remembers the order of each chat."""

    kind = "vk"

    def __init__(self) -> None:
        self.keys: dict[str, list[int]] = {}

    async def send(self, message: OutgoingMessage) -> Sent:
        self.keys.setdefault(message.chat, []).append(int(message.key))
        return Sent([message.key])


class Gateway:
    def __init__(self, adapter: AtOnce) -> None:
        self._adapter = adapter

    def known(self, channel_id: UUID) -> Adapter | None:
        return self._adapter  # type: ignore[return-value]

    async def adapter(self, session: object, channel_id: UUID) -> Adapter:
        return self._adapter  # type: ignore[return-value]


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    each, rounds = (5, 1) if smoke else (100, 3)
    taken, costs = [], []
    async with stage(running) as on:
        await on.db.raw.execute(_PEOPLE, DIALOGS, on.channel_id)
        for _ in range(rounds):
            limit = await asyncio.to_thread(_limit, on, await _queue(on, each))
            bare = await _bare(on, await _queue(on, each))
            value, cost = await _send(on, await _queue(on, each))
            taken.append((value, limit))
            costs.append((cost, bare))
    return [figure.of("outbound", "messages/s", taken), figure.of("outbound.cpu", "us", costs)]


async def _queue(on: Stage, each: int) -> int:
    """Queue so many answers in each dialog; nothing else is waiting. Returns how many in all."""
    await on.db.raw.execute("update messages set status = 'cancelled' where status in ('queued', 'sending')")
    await on.db.raw.execute(_QUEUE, each)
    await on.db.raw.execute("vacuum analyze messages")
    return each * DIALOGS


async def _send(on: Stage, count: int) -> tuple[float, float]:
    """Messages a second by the product's own turns, and microseconds of this process's CPU for one."""
    platform = AtOnce()
    files, lanes = open_files(on.settings), Lanes(2 * LANES)

    async def lane() -> None:
        while sum(map(len, platform.keys.values())) < count:
            if not await outbox.turn(on.db, Gateway(platform), files, lanes=lanes):
                await asyncio.sleep(0.001)  # every dialog has one on its way

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    if any(keys != sorted(set(keys)) for keys in platform.keys.values()):
        raise RuntimeError("a dialog was sent out of order or twice")
    return count / spent, cpu / count * 1e6


async def _bare(on: Stage, count: int) -> float:
    """Microseconds of CPU for the two statements of one message."""
    left = count

    async def lane() -> None:
        nonlocal left
        while left > 0:
            row = await on.db.raw.fetchrow(outbox.statement(), outbox.LEASE, outbox.GIVE_UP_AFTER, [])
            if row is None:
                await asyncio.sleep(0.001)
                continue
            left -= 1
            key = [str(row["seq"])]
            await on.db.raw.fetchval(settle.statement(), row["id"], row["attempts"], "sent", "", key, [], "")

    cpu = time.process_time()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    return (time.process_time() - cpu) / count * 1e6


def _limit(on: Stage, count: int) -> float:
    """Messages a second that pgbench takes and settles with the same statements."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "send.sql"
        script.write_text(_script())
        # Some are left over: a client that finds every dialog taken, or nothing more to take, gives up.
        each = count // LANES * 3 // 4
        command = [str(pgbench()), "-n", "-M", "prepared", "-c", str(LANES), "-j", "2", "-t", str(each)]
        done = subprocess.run(
            [*command, "-f", str(script), on.url], capture_output=True, text=True, check=False
        )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None or done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stdout[-300:]} {done.stderr[-500:]}")
    return float(found.group(1))


def _script() -> str:
    """The product's two statements; the first one's row feeds the second."""
    claim = _fill(outbox.statement(), {1: "interval '2 min'", 2: "interval '24 hours'", 3: "'{}'"})
    given = {1: ":id::uuid", 2: ":attempts", 3: "'sent'::text", 4: "''::text", 5: "array[:seq::text]"}
    done = _fill(settle.statement(), given | {6: "'{}'", 7: "''::text"})
    return f"{claim}\\gset\n{done};\n"


def _fill(statement: str, values: dict[int, str]) -> str:
    sql = re.sub(r"--[^\n]*", "", statement)
    return re.sub(r"\$(\d+)", lambda match: values[int(match.group(1))], sql)
