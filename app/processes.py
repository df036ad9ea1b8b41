"""`otklik up`: one supervisor that owns the embedded database, the web server and the worker.

Children die with it, are started again when they die, and are stopped in order: first those who use
the database, then the database.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from rich.console import Console

from app.core import embedded, runtime
from app.core.config import Settings, SettingsError
from app.core.lifeline import end, spawn
from app.programs import listen

_TICK = 0.2
_PATIENCE = 8.0  # more than the web server's own 5 s for requests in flight
_STEADY = 30.0  # a child that lived this long starts anew with a short pause
_WRONG_SETTING = 2  # exit code of what trying again does not mend
_GIVE_UP = 5  # starts that never got ready
log = structlog.get_logger(__name__)


@dataclass
class Child:
    """A program of ours that is kept running."""

    name: str
    arguments: Sequence[str]
    env: dict[str, str]
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0

    def start(self) -> None:
        # SIGKILL at our death: certain even for a busy child, and every step survives a kill.
        self.process = spawn(
            [sys.executable, "-m", "app.cli", *self.arguments],
            stop_signal=signal.SIGKILL,
            env=self.env,
            pass_fds=self.pass_fds,
        )
        self.started = time.monotonic()

    def look_after(self) -> None:
        """Start it again when it has died, later and later while it keeps dying (at most 30 s)."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self.process = None
            self.failures = 0 if now - self.started > _STEADY else self.failures + 1
            if code == _WRONG_SETTING:
                self.failures = max(self.failures, _GIVE_UP)
            self.due = now + min(30.0, 0.25 * 2**self.failures)
            log.error("child ended", child=self.name, code=code, again_in=round(self.due - now, 2))
        if now >= self.due:
            self.start()

    def stop(self, deadline: float) -> None:
        if self.process is not None:
            end(self.process, (signal.SIGTERM, max(0.1, deadline - time.monotonic())))


@dataclass
class Desk:
    """Everything `up` started and has to stop."""

    settings: Settings
    listener: socket.socket
    server: embedded.EmbeddedServer | None
    children: list[Child]

    def stop(self) -> None:
        self.listener.close()
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for child in self.children:
            child.stop(deadline)
        if self.server is not None:
            self.server.stop()
        runtime.remove(self.settings.data_dir)


def up(settings: Settings) -> int:
    """Run until told to stop; returns the exit code. Raises `SettingsError` when it cannot start."""
    console = Console(stderr=True, highlight=False)
    with asyncio.Runner() as runner:
        return runner.run(_up(settings, console))


async def _up(settings: Settings, console: Console) -> int:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    desk = Desk(settings, listen(settings), None, [])
    try:
        login = await _prepare(desk, console)
        if not told.is_set():
            await _run(desk, told, console, login)
    finally:
        console.print("Stopping…")
        desk.stop()
    console.print("Stopped.")
    return 0


async def _prepare(desk: Desk, console: Console) -> tuple[str, str] | None:
    """Database up, migrated, first login made; then the children are known."""
    settings = desk.settings
    embedded.make_folder(settings.data_dir)
    if settings.database_url is None:
        with console.status("Starting the database…"):
            desk.server = embedded.start(settings.data_dir)
        console.print(f"Database: embedded PostgreSQL in {desk.server.cluster.folder}")
    url = settings.database_url or (desk.server.url() if desk.server else "")
    host, port = desk.listener.getsockname()[:2]
    desk.settings = settings = settings.model_copy(update={"database_url": url, "port": port})
    with console.status("Migrating the database…"):
        from app.core import migrate

        await migrate.check_server(url)
        await migrate.upgrade(url)
        login = await _first_login(url, settings)
    runtime.write(settings.data_dir, address=f"http://{host}:{port}", database_url=url)
    desk.children = _children(settings, desk.listener)
    return login


async def _first_login(url: str, settings: Settings) -> tuple[str, str] | None:
    """The administrator's login and password when this was the first start."""
    from app import first_run
    from app.core.db import Database

    database = Database(url, pool_size=2)
    try:
        async with database.transaction() as session:
            return await first_run.ensure(session, locale=settings.locale)
    finally:
        await database.close()


def _children(settings: Settings, listener: socket.socket) -> list[Child]:
    env = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "OTKLIK_PORT": str(settings.port),
        "OTKLIK_DRAIN_SECONDS": "0",  # they go together, and nobody else serves meanwhile
    }
    fd = listener.fileno()
    web = [
        Child("serve", ["serve", "--fd", str(fd)], env, pass_fds=[fd]) for _ in range(settings.web_processes)
    ]
    return [*web, *(Child("work", ["work"], env) for _ in range(settings.work_processes))]


async def _run(desk: Desk, told: asyncio.Event, console: Console, login: tuple[str, str] | None) -> None:
    announced = False
    while not told.is_set():
        _look_after_server(desk)
        for child in desk.children:
            child.look_after()
        if not announced and await _answers(desk.listener):
            announced = True
            _announce(desk.settings, console, login)
        if not announced and any(child.failures >= _GIVE_UP for child in desk.children):
            raise SettingsError("A program of Otklik does not start: see its messages above.")
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK):  # wait_for loses cancellations before 3.12
                await told.wait()


def _look_after_server(desk: Desk) -> None:
    if desk.server is not None and not desk.server.alive:
        log.error("the database server died; starting it again")
        desk.server.launch()


async def _answers(listener: socket.socket) -> bool:
    """Whether the web server says that it, the database and the loops are ready."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: otklik\r\nConnection: close\r\n\r\n")
                return b'"loops":true' in await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _announce(settings: Settings, console: Console, login: tuple[str, str] | None) -> None:
    console.print(f"\n[bold green]Otklik is ready:[/] [bold]{settings.url}[/]")
    if login is not None:
        console.print(f"First login: [bold]{login[0]}[/]   password: [bold]{login[1]}[/]")
        console.print("Write the password down: it is shown only once.")
    console.print("Ctrl-C stops everything.\n")
