"""Measurements go through, and print the figures they are asked for. `make bench-smoke` runs all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import wanted
from bench.__main__ import MEASUREMENTS

LEFT_OUT = ("inbound.webhook", "live.latency")
"""They take longest, and the soak and the others here use all that they consist of."""
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_measurements_go_through() -> None:
    names = [name for name in MEASUREMENTS if name not in LEFT_OUT]
    command = [sys.executable, "-m", "bench", "--smoke", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    asked = wanted.AT_LEAST.keys() | wanted.AT_MOST.keys()
    asked = {name for name in asked if not name.startswith(("live.fanout.", *LEFT_OUT))}
    assert asked <= {figure["name"] for figure in figures}
    assert all(figure.keys() == {"name", "value", "unit", "limit", "ratio", "rounds"} for figure in figures)
    lost = next(figure for figure in figures if figure["name"] == "live.loss")
    assert lost["value"] == 0
