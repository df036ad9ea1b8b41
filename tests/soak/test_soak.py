"""Seconds of too much of everything, through the real programs: nothing lost, nothing doubled, well again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_too_much_of_everything_loses_and_doubles_nothing() -> None:
    """The soak itself checks what came, what left and what consoles saw, and fails when that differs."""
    command = [sys.executable, "-m", "bench", "soak", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found = {line["name"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    assert found["soak.accepted"] > 0
    assert found["soak.answers"] > 0
