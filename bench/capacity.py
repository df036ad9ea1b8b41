"""`python -m bench.capacity RESULTS [--messages …]`: from measured costs to what a desk needs, and what runs
out first. RESULTS are the JSON lines of `python -m bench costs live.fanout live.memory outbound start`.

Everything is CPU: of one message that comes in, one answer that leaves, one look of an agent into the inbox
and a thread, one frame to a console. A resource is full when its share of a core reaches what it has.
"""

import argparse
import json
from dataclasses import dataclass, fields
from pathlib import Path

BUSY = 0.7
"""Of a core: planned higher, peaks within a second become waiting."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of CPU of one of each; a console's memory in kB, a web process's in MB."""

    inbound_web: float
    inbound_work: float
    inbound_database: float
    inbound_client: float
    look_web: float
    look_database: float
    answer_work: float
    answer_database: float
    frame: float
    console_kb: float
    web_mb: float


@dataclass(frozen=True, slots=True)
class Desk:
    """What comes in a day, and in the fullest hour `peak` times a working day's (ten hours') mean."""

    messages: float = 10_000
    peak: float = 4
    answers: float = 0.8
    """For a message that came in."""
    looks: float = 1.5
    """Of agents, for a message: the inbox's page and the thread."""
    consoles: int = 50
    seen_by: float = 15
    """Consoles that are shown a message."""
    frames: float = 3
    """To each of them, for a message and its answer: both, and what becomes of the dialog."""

    @property
    def a_second(self) -> float:
        """Messages a second in the fullest hour."""
        return self.messages / 36_000 * self.peak


def read(lines: str, *, cores: int) -> Costs:
    """Costs from the JSON lines of a run on so many cores."""
    found = {line["name"]: line for line in map(json.loads, lines.splitlines()) if "limit" in line}
    value = {name: float(line["value"]) for name, line in found.items()}
    return Costs(
        inbound_web=value["cost.inbound.web"],
        inbound_work=value["cost.inbound.work"],
        inbound_database=value["cost.inbound.database"],
        inbound_client=value["cost.inbound.client"],
        look_web=value["cost.look.web"],
        look_database=value["cost.look.database"],
        answer_work=value["outbound.cpu"],
        # pgbench with the same statements keeps all cores busy: so much a message at most
        answer_database=cores * 1e6 / found["outbound"]["limit"],
        frame=1e6 / value["live.fanout.500"],
        console_kb=value["live.memory"],
        web_mb=value["start.memory"],
    )


def cores(costs: Costs, desk: Desk) -> dict[str, float]:
    """Cores that each part of the program is busy with in the fullest hour."""
    costs_of_one = {
        "web": costs.inbound_web + desk.looks * costs.look_web + desk.frames * desk.seen_by * costs.frame,
        "worker": costs.inbound_work + desk.answers * costs.answer_work,
        "database": costs.inbound_database
        + desk.looks * costs.look_database
        + desk.answers * costs.answer_database,
    }
    return {part: desk.a_second * cost / 1e6 for part, cost in costs_of_one.items()}


def full_at(costs: Costs, desk: Desk, has: dict[str, float]) -> dict[str, float]:
    """Messages a second at which each part has nothing left, the first one first. `has`: its cores."""
    busy = cores(costs, desk)
    rates = {part: BUSY * has[part] * desk.a_second / busy[part] for part in busy if busy[part]}
    return dict(sorted(rates.items(), key=lambda found: found[1]))


def processes(busy: float) -> int:
    """Processes of one core each that this keeps below `BUSY`."""
    return max(1, -int(-busy // BUSY))


def predicted(costs: Costs, *, machine: int) -> float:
    """Messages a second from webhook to thread through one web process, when all shares so many cores."""
    together = costs.inbound_web + costs.inbound_work + costs.inbound_database + costs.inbound_client
    return min(machine * 1e6 / together, 1e6 / costs.inbound_web)


def error(*, predicted: float, measured: float) -> float:
    """Percent by which the prediction is above what was measured."""
    return (predicted / measured - 1) * 100


def report(costs: Costs, desk: Desk, has: dict[str, float]) -> str:
    """The model's answer as text."""
    busy = cores(costs, desk)
    memory = desk.consoles * costs.console_kb / 1000 + processes(busy["web"]) * costs.web_mb
    lines = [f"{desk.messages:,.0f} messages a day, {desk.a_second:.1f} a second in the fullest hour"]
    lines += [
        f"{part:10} {cpu:6.2f} cores busy, {processes(cpu)} of them needed" for part, cpu in busy.items()
    ]
    lines += [f"{'memory':10} {memory:6.0f} MB of web processes with {desk.consoles} consoles"]
    for part, rate in full_at(costs, desk, has).items():
        lines.append(f"{part} is full at {rate:.0f} messages a second with {has[part]:g} cores")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.capacity", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--machine", type=int, default=2, help="cores of the machine of the results")
    for one in fields(Desk):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=float, default=one.default)
    for part in ("web", "worker", "database"):
        parser.add_argument(f"--{part}-cores", type=float, default=1)
    chosen = parser.parse_args()
    lines = chosen.results.read_text()
    costs = read(lines, cores=chosen.machine)
    desk = Desk(**{one.name: getattr(chosen, one.name) for one in fields(Desk)})
    has = {part: getattr(chosen, f"{part}_cores") for part in ("web", "worker", "database")}
    print(report(costs, desk, has))
    found = (json.loads(line) for line in lines.splitlines())
    measured = next(line["value"] for line in found if line["name"] == "cost.inbound.rate")
    expected = predicted(costs, machine=chosen.machine)
    off = error(predicted=expected, measured=measured)
    print(f"here: {expected:.0f} messages a second predicted, {measured:.0f} measured: {off:+.0f} %")


if __name__ == "__main__":
    main()
