"""The victim of the crash tests, and the desk it works at."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dialogs.conftest import desk, fake_kinds, module_database_url, module_desk, quiet

__all__ = ["desk", "fake_kinds", "module_database_url", "module_desk", "quiet"]

ROOT = Path(__file__).resolve().parents[2]
Victim = Callable[..., bool]


@pytest.fixture
def victim(module_database_url: str, tmp_path: Path) -> Iterator[Victim]:
    """`victim(job=…, kill_at=…, when=…)`: whether the child was killed; False: it came to its end."""
    command = [sys.executable, "-m", "tests.crash.victim"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin
        assert process.stdout
        given, taken = process.stdin, process.stdout

        def run(*, kill_at: int = 0, when: str = "before", **order: Any) -> bool:
            order |= {"url": module_database_url, "folder": str(tmp_path), "kill_at": kill_at, "when": when}
            given.write(json.dumps(order).encode() + b"\n")
            given.flush()
            report = json.loads(taken.readline())
            assert report["killed"] or report["status"] == 0, report
            return bool(report["killed"])

        yield run
        given.close()
        process.wait(timeout=10)
