"""What the stories need: the built console, and one program per module."""

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import ROOT, Program, running
from tests.peers.dovecot import dovecot  # noqa: F401

BUILT = [ROOT / "console" / "dist" / "index.html", ROOT / "widget" / "dist" / "frame.html"]


@pytest.fixture(scope="session")
def built() -> None:
    """The console and the site chat as the program serves them; built by whoever comes first."""
    if all(path.is_file() for path in BUILT):
        return
    with (Path(tempfile.gettempdir()) / "otklik-frontend.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts" / "frontend.sh", "build"], cwd=ROOT, check=True, timeout=600)


@pytest.fixture(scope="module")
def program(built: None, request: pytest.FixtureRequest) -> Iterator[Program]:
    """`otklik up`, begun anew for the module."""
    with running(request.module.__name__.rpartition(".")[2]) as program:
        yield program
