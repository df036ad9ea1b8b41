"""The real program as a newcomer starts it: `otklik up`, its own data folder, a port of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil

from app.core import runtime
from tests.helpers import eventually_sync

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"
_PATIENCE = 100  # a start takes seconds; a machine under load needs more


class Program:
    """A running `otklik up`: its address, and the login it printed."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "up.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "up"],
                cwd=ROOT,
                env=_environment(self.data_dir) | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ready(self) -> None:
        """Wait for the words a newcomer waits for."""
        said = eventually_sync(self._said, _PATIENCE)
        self.address, self.email, self.password = said.group(1, 2, 3)

    def _said(self) -> re.Match[str] | None:
        text = self.log.read_text()
        assert self.process.poll() is None, text
        return re.search(r"is ready: (http://\S+)\s+First login: (\S+)\s+password: (\S+)", text)

    def child(self, word: str) -> psutil.Process:
        """The process of it that has `word` on its command line (`serve`, `work`)."""
        own = psutil.Process(self.process.pid)
        return next(child for child in own.children() if word in child.cmdline())

    async def leases_end(self) -> None:
        """As if minutes had passed: what a dead process held may be taken by others."""
        found = runtime.find(self.data_dir)
        assert found is not None
        connection = await asyncpg.connect(found.database_url)
        try:
            await connection.execute("update messages set next_attempt_at = now() where status = 'sending'")
            await connection.execute("update channel_cursors set held_until = now()")
        finally:
            await connection.close()

    def stop(self) -> None:
        """Ctrl-C; whatever does not end by that is killed (its children die with it)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(name: str, **env: str) -> Iterator[Program]:
    """A program that is ready, for the length of the block; its log is left in test-results/."""
    folder = Path(tempfile.mkdtemp(prefix="otklik-e2e-"))
    folder.chmod(0o755)  # the database server's own user must get in
    program = Program(folder, **env)
    try:
        program.ready()
        yield program
    finally:
        program.stop()
        RESULTS.mkdir(exist_ok=True)
        shutil.copy(program.log, RESULTS / f"{name}.log")
        shutil.rmtree(folder, ignore_errors=True)


def _environment(data_dir: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("OTKLIK_")}
    env.pop("DATABASE_URL", None)
    return env | {
        "OTKLIK_PORT": "0",
        "OTKLIK_DATA_DIR": str(data_dir),
        "OTKLIK_UNDO_SECONDS": "0.2",
        "PYTHONPATH": str(ROOT),
    }
