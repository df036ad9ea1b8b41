"""A process that owns an embedded server until it is told to end: `python owner.py DATA_DIR`.

Prints the server's process id when it is ready.
"""

import signal
import sys
import threading
from pathlib import Path

from app.core import embedded
from app.core.config import SettingsError


def main() -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        server = embedded.start(Path(sys.argv[1]), durable=True)
    except SettingsError as error:
        print(error, flush=True)
        sys.exit(2)
    print(server.pid, flush=True)
    told.wait()
    server.stop()


main()
