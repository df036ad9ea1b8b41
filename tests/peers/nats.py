"""The real nats-server of Debian's package, which can be killed and started again at the same port."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.helpers import eventually_sync, require

USER, PASSWORD = "desk", "s3cret-of-the-bell"


class NatsServer:
    """Not started by itself: see `start`."""

    def __init__(self, folder: Path) -> None:
        self._program = require("nats-server")
        self._log = folder / "nats.log"
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port: int = chosen.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self._program, "-a", "127.0.0.1", "-p", str(self.port), "--user", USER, "--pass", PASSWORD]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        eventually_sync(self._answers, 20)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
