"""The embedded PostgreSQL server of a data folder: one owner, a direct child that dies with it.

It listens on a unix socket only. `start` returns when the server takes connections.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from app.core.cluster import SUPERUSER, Cluster, EmbeddedError, environment, locate, prepare
from app.core.lifeline import end, spawn

__all__ = ["DATABASE", "EmbeddedError", "EmbeddedServer", "start"]

DATABASE = "otklik"
_PORT = 5432
_SOCKET_LIMIT = 80  # bytes; sun_path holds 107 with the name of the socket in it
_LOG_LIMIT = 10 * 1024 * 1024
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_lock_waits": "on",
}
_FAST_AND_LOOSE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "4GB",
}


class EmbeddedServer:
    """A running server. `url()` is its address, `alive` whether it still runs, `stop()` ends it."""

    def __init__(
        self, cluster: Cluster, *, locks: list[int], socket_dir: Path, log: Path, durable: bool
    ) -> None:
        self.cluster = cluster
        self._locks = locks
        self._socket_dir = socket_dir
        self._log = log
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = DATABASE) -> str:
        """Address for asyncpg, for SQLAlchemy and for libpq."""
        host = quote(str(self._socket_dir), safe="/")
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={host}&port={_PORT}"

    def launch(self, *, timeout: float = 60) -> None:
        """Start, or start again after a crash, and wait until connections are taken."""
        _clear_leftovers(self.cluster.folder)
        # As with its other pid file: the number in it may be another process by now, or our own dead child.
        (self._socket_dir / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
        settings = _SETTINGS | ({} if self._durable else _FAST_AND_LOOSE)
        settings["unix_socket_directories"] = str(self._socket_dir)
        command: list[str | Path] = [
            self.cluster.program("postgres"),
            "-D",
            self.cluster.folder,
            "-p",
            str(_PORT),
        ]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as output:
            self._process = spawn(
                command,
                stop_signal=signal.SIGINT,  # a fast shutdown: clean, without waiting for clients
                account=self.cluster.account,
                output=output,
                env=environment(),
                cwd="/",
            )
        self._wait_ready(timeout)
        self._ensure_database()

    def _wait_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not _reports_ready(self.cluster.folder, self.pid):
            if not self.alive:
                raise EmbeddedError(f"The database did not start: {_last_line(self._log)} (see {self._log}).")
            if time.monotonic() > deadline:
                self._end()
                raise EmbeddedError(f"The database did not start within {timeout:.0f} s (see {self._log}).")
            time.sleep(0.01)

    def _ensure_database(self) -> None:
        if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):  # noqa: S608
            self.query(f"CREATE DATABASE {DATABASE}")

    def query(self, sql: str, *, database: str = "postgres") -> str:
        """Run one statement through psql; for upkeep, never with text from outside."""
        command = [
            str(self.cluster.program("psql")),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url(database),
        ]
        done = subprocess.run(
            [*command, "-c", sql], cwd="/", env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise EmbeddedError(f"The database refused a statement: {done.stderr.strip()}")
        return done.stdout.strip()

    def _end(self) -> None:
        if self._process is not None:
            end(self._process, (signal.SIGINT, 10), (signal.SIGQUIT, 5))

    def stop(self) -> None:
        """End the server cleanly and give the data folder free. May be called twice."""
        self._end()
        while self._locks:
            os.close(self._locks.pop())


def start(data_dir: Path, *, durable: bool = True) -> EmbeddedServer:
    """Start the server of `data_dir`; raises `EmbeddedError` with one sentence when that cannot be.

    Call it from the main thread. `durable=False` (tests) gives up safety against power loss for speed.
    """
    data_dir = data_dir.absolute()
    make_folder(data_dir)
    locks = [_claim(data_dir / "lock")]
    try:
        cluster = locate(data_dir)
        if cluster.folder.parent != data_dir:  # a copied data folder points to the same database
            locks.append(_claim(cluster.folder.with_name("lock")))
        prepare(cluster, durable=durable)
        log = data_dir / "postgres.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        server = EmbeddedServer(
            cluster, locks=locks, socket_dir=_socket_dir(cluster), log=log, durable=durable
        )
        server.launch()
    except BaseException:
        for lock in locks:
            os.close(lock)
        raise
    return server


def make_folder(data_dir: Path) -> None:
    """Make the data folder; raises `EmbeddedError` with one sentence when that cannot be."""
    try:
        # Enterable for the server's own user; what is secret in it has modes of its own.
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {data_dir} cannot be made ({error.strerror}): "
            "set OTKLIK_DATA_DIR to another one."
        ) from None


def _claim(path: Path) -> int:
    """Lock for as long as this process lives: the kernel frees it however we end."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {path.parent} is not writable ({error.strerror}): "
            "set OTKLIK_DATA_DIR to another one."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise EmbeddedError(
            f"The data folder {path.parent} is in use by another Otklik (process {owner}): "
            "stop that one, or set OTKLIK_DATA_DIR to another folder."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _socket_dir(cluster: Cluster) -> Path:
    """A private folder for the socket, with a path short enough for one."""
    folder = cluster.folder.with_name("socket")
    if len(os.fsencode(folder)) > _SOCKET_LIMIT:
        name = hashlib.sha256(os.fsencode(cluster.folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"otklik-{name}"
        if len(os.fsencode(folder)) > _SOCKET_LIMIT:
            folder = Path("/tmp") / f"otklik-{name}"  # noqa: S108 - its owner and mode are checked below
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if cluster.account.switch:
            os.chown(folder, cluster.account.uid, cluster.account.gid)
    found = folder.lstat()
    if found.st_uid not in (cluster.account.uid, os.geteuid()) or not folder.is_dir() or folder.is_symlink():
        raise EmbeddedError(
            f"The folder {folder} belongs to somebody else: remove it, it is needed for the socket."
        )
    os.chown(folder, cluster.account.uid, cluster.account.gid)
    folder.chmod(0o700)
    return folder


def _reports_ready(folder: Path, pid: int | None) -> bool:
    """Whether the server wrote `ready` as its status (line 8 of postmaster.pid, as pg_ctl reads it)."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        telling = [line for line in lines[-20:] if "FATAL" in line or "could not" in line] or lines[-1:]
        return telling[-1] if telling else "no reason given"
    return "no reason given"


def _clear_leftovers(folder: Path) -> None:
    """End what a killed owner left in this folder, then drop its pid file.

    The lock is ours, so every process that works in the folder is a leftover. The pid in the file is
    not believed: after a reboot it may be anybody's.
    """
    found = _processes_in(folder)
    for process_signal, patience in ((None, 5.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if not found:
            break
        for process in found:
            if process_signal is not None:
                with suppress(psutil.Error):
                    process.send_signal(process_signal)
        _gone, found = psutil.wait_procs(found, timeout=patience)
    (folder / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(folder: Path) -> list[psutil.Process]:
    """PostgreSQL processes work in their data folder; nobody else is taken for one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and process.cwd() == str(folder.resolve()):
                found.append(process)
    return found
