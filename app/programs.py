"""The two programs that stand alone: the web server and the worker with its loops."""

import asyncio
import resource
import signal
import socket
from contextlib import suppress

from app.core import lean
from app.core.config import Settings, SettingsError


def listen(settings: Settings) -> socket.socket:
    """Take the address of the settings; raises `SettingsError` when that cannot be."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"Cannot listen on {settings.host} port {settings.port} ({reason}): "
            "stop the program that uses it, or set OTKLIK_PORT (or OTKLIK_HOST) to another one."
        ) from None


def serve(settings: Settings, *, fd: int | None = None) -> None:
    """Run the web server until SIGTERM or SIGINT; see `app.server` for how it stops."""
    listener = listen(settings) if fd is None else socket.socket(fileno=fd)
    _many_files()
    from app.main import create_app
    from app.server import Server

    server = Server(create_app(settings), settings)
    lean.settle()
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(3)


def _many_files() -> None:
    """As many sockets as the system lets us have; shells give 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))


def work(settings: Settings) -> None:
    """Run the loops until SIGTERM or SIGINT: each then finishes its turn. A second signal cancels them."""
    import uvloop

    from app.worker import run

    lean.settle()

    async def until_told() -> None:
        told = asyncio.Event()
        loops = asyncio.ensure_future(run(settings, told=told))

        def stop() -> None:
            loops.cancel() if told.is_set() else told.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        with suppress(asyncio.CancelledError):
            await loops

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told())
