"""`make bench-smoke`: every measurement goes through, and each figure that is asked for is printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import wanted

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_every_measurement_goes_through() -> None:
    command = [sys.executable, "-m", "bench", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    asked = wanted.AT_LEAST.keys() | wanted.AT_MOST.keys()
    asked = {name for name in asked if not name.startswith("live.fanout.")} | {"live.fanout.20"}
    assert asked <= {figure["name"] for figure in figures}
    assert all(figure.keys() == {"name", "value", "unit", "limit", "ratio", "rounds"} for figure in figures)
    lost = next(figure for figure in figures if figure["name"] == "live.loss")
    assert lost["value"] == 0
