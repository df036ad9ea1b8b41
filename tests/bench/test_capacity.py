"""The capacity model's arithmetic, on figures that can be reckoned by hand."""

import pytest

from bench import capacity
from bench.capacity import Costs, Desk

COSTS = Costs(
    inbound_web=500,
    inbound_work=100,
    inbound_database=1000,
    inbound_client=400,
    look_web=8000,
    look_database=1000,
    answer_work=300,
    answer_database=1500,
    frame=5,
    console_kb=30,
    web_mb=100,
)
# 36,000 messages in ten hours are one a second, four in the fullest hour.
DESK = Desk(messages=36_000, peak=4, answers=0.5, looks=2, consoles=1000, seen_by=100, frames=3)


def test_cores_of_each_part() -> None:
    busy = capacity.cores(COSTS, DESK)
    # web: 500 + 2 x 8000 + 3 x 100 x 5 = 18,000 us; worker: 100 + 0.5 x 300 = 250;
    # database: 1000 + 2 x 1000 + 0.5 x 1500 = 3750
    assert busy == pytest.approx({"web": 4 * 0.018, "worker": 4 * 0.00025, "database": 4 * 0.00375})


def test_what_is_full_first() -> None:
    full = capacity.full_at(COSTS, DESK, {"web": 1, "worker": 1, "database": 1})
    assert list(full) == ["web", "database", "worker"]
    assert full == pytest.approx({"web": 0.7 / 0.018, "database": 0.7 / 0.00375, "worker": 0.7 / 0.00025})
    assert next(iter(capacity.full_at(COSTS, DESK, {"web": 8, "worker": 1, "database": 1}))) == "database"


@pytest.mark.parametrize(("busy", "needed"), [(0, 1), (0.69, 1), (0.71, 2), (1.41, 3)])
def test_processes(busy: float, needed: int) -> None:
    assert capacity.processes(busy) == needed


def test_a_machine_that_does_it_all() -> None:
    # 2000 us of CPU together: two cores do 1000 a second, eight 2000 because one web process is one core
    assert capacity.predicted(COSTS, machine=2) == pytest.approx(1000)
    assert capacity.predicted(COSTS, machine=8) == pytest.approx(2000)
    assert capacity.error(predicted=1000, measured=800) == pytest.approx(25)


def test_costs_are_read_from_a_run() -> None:
    figures = {
        **{f"cost.inbound.{part}": 10.0 for part in ("web", "work", "database", "client")},
        **{"cost.look.web": 20.0, "cost.look.database": 30.0, "live.memory": 25.0, "start.memory": 100.0},
        **{"outbound.cpu": 300.0, "live.fanout.500": 100_000.0},
    }
    lines = [f'{{"name": "{name}", "value": {value}, "limit": 1}}' for name, value in figures.items()]
    lines.append('{"name": "outbound", "value": 900, "limit": 1000}')
    costs = capacity.read("\n".join(lines), cores=2)
    assert (costs.frame, costs.answer_database, costs.look_database) == (10, 2000, 30)
