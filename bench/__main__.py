"""`python -m bench [--smoke] [name…]`: run the measurements; a JSON object a line, and a table at the end."""

import argparse
import sys
from collections.abc import Awaitable, Callable

import uvloop

from app.core.embedded import EmbeddedServer
from bench import (
    costs,
    inbound,
    inbox_page,
    live_fanout,
    live_latency,
    live_loss,
    live_memory,
    outbound,
    report_month,
    search,
    soak,
    start,
    thread_page,
    wanted,
    webhook,
    webhook_cpu,
)
from bench.figure import Figure
from bench.stage import server

MEASUREMENTS: dict[str, Callable[..., Awaitable[list[Figure]]]] = {
    "inbound": inbound.measure,
    "inbound.webhook": webhook.measure,
    "webhook.cpu": webhook_cpu.measure,
    "live.latency": live_latency.measure,
    "live.fanout": live_fanout.measure,
    "live.memory": live_memory.measure,
    "live.loss": live_loss.measure,
    "start": start.measure,
    "outbound": outbound.measure,
    "inbox.page": inbox_page.measure,
    "thread.page": thread_page.measure,
    "search": search.measure,
    "report.month": report_month.measure,
    "costs": costs.measure,
}


async def _run(running: EmbeddedServer, chosen: argparse.Namespace, name: str) -> list[Figure]:
    if name == "soak":
        for finding in await soak.soak(running, seconds=5 if chosen.smoke else chosen.minutes * 60):
            print(finding.line(), flush=True)
        return []
    found = await MEASUREMENTS[name](running, smoke=chosen.smoke)
    for one in found:
        print(one.line(), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", default=list(MEASUREMENTS), help=", ".join([*MEASUREMENTS, "soak"])
    )
    parser.add_argument("--smoke", action="store_true", help="small and short: only that they run")
    parser.add_argument("--minutes", type=float, default=10, help="of load, for `soak`")
    chosen = parser.parse_args()
    with server() as running:
        found = [one for name in chosen.names for one in uvloop.run(_run(running, chosen, name))]
    print(f"\n{wanted.table(found)}", file=sys.stderr)


if __name__ == "__main__":
    main()
