"""`otklik up` as a newcomer, a system and an unlucky day treat it: real processes, real signals."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.helpers import eventually_sync

ROOT = Path(__file__).parents[2]
_PATIENCE = 100  # a start takes 2 s; a machine under load needs more
pytestmark = pytest.mark.timeout(400)


class Desk:
    """A running `otklik up` and everything below it."""

    def __init__(self, data_dir: Path, **env: str) -> None:
        self.log = (data_dir.parent / "up.log").open("a+b")
        self.log.seek(0, os.SEEK_END)
        self._from = self.log.tell()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            cwd=ROOT,
            env=clean_env(data_dir) | env,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        self.log.seek(self._from)
        return self.log.read().decode()

    def ready(self) -> str:
        def address() -> str | None:
            assert self.process.poll() is None, self.output
            found = re.search(r"is ready: (http://\S+)", self.output)
            return found[1] if found else None

        return eventually_sync(address, _PATIENCE) or ""

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def child(self, word: str) -> psutil.Process:
        return next(p for p in psutil.Process(self.process.pid).children() if word in p.cmdline())

    def count(self, word: str) -> int:
        own = psutil.Process(self.process.pid).children()
        return sum(p.status() != psutil.STATUS_ZOMBIE and word in p.cmdline() for p in own)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


def clean_env(data_dir: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("OTKLIK_")}
    env.pop("DATABASE_URL", None)
    return env | {"OTKLIK_PORT": "0", "OTKLIK_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}


def otklik(data_dir: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=clean_env(data_dir) | env,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


def all_gone(family: list[psutil.Process]) -> bool:
    _gone, alive = psutil.wait_procs(family, timeout=15)
    return not alive


def alive(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def works(address: str) -> bool:
    """Whether a web server answers there and somebody runs the loops."""
    try:
        return httpx.get(f"{address}/readyz", timeout=2).json()["checks"]["loops"] is True
    except httpx.HTTPError:
        return False


@pytest.fixture
def data_dir() -> Iterator[Path]:
    top = Path(tempfile.mkdtemp(prefix="otklik-up-"))
    top.chmod(0o755)
    yield top / "data"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., Desk]]:
    """Starts `otklik up` on the test's data folder; what still runs in the end is killed."""
    started: list[Desk] = []

    def begin(**env: str) -> Desk:
        started.append(Desk(data_dir, **env))
        return started[-1]

    yield begin
    for desk in started:
        if desk.process.poll() is None:
            desk.process.kill()
            desk.process.wait()
        desk.log.close()


@pytest.fixture
def desk(start: Callable[..., Desk]) -> Desk:
    return start()


def test_first_start_shows_a_login_and_ctrl_c_stops_everything(
    desk: Desk, start: Callable[..., Desk]
) -> None:
    address = desk.ready()
    eventually_sync(lambda: re.search(r"First login: \S+ +password: \S+", desk.output), _PATIENCE)
    assert alive(address)
    assert httpx.get(f"{address}/readyz", timeout=10).json() == {
        "ready": True,
        "checks": {"database": True, "migrations": True, "loops": True, "storage": True},
    }
    family = desk.family()
    assert desk.end(signal.SIGINT) == 0
    assert all_gone(family)
    again = start()
    again.ready()
    assert "First login" not in again.output
    assert again.end() == 0


def test_killed_supervisor_takes_all_with_it_and_the_next_start_works(
    desk: Desk, start: Callable[..., Desk]
) -> None:
    desk.ready()
    family = desk.family()
    assert len(family) >= 4
    desk.process.kill()
    desk.process.wait()
    next_one = start()  # at once, while the old database may still be ending
    assert all_gone(family)
    assert alive(next_one.ready())
    assert next_one.end() == 0


def test_killed_children_are_started_again(desk: Desk) -> None:
    address = desk.ready()
    for word in ("serve", "work", "-D"):
        victim = desk.child(word)
        victim.kill()
        eventually_sync(lambda: replaced(desk, word, victim), _PATIENCE)  # noqa: B023 - called at once
    eventually_sync(lambda: alive(address), _PATIENCE)
    family = desk.family()
    assert desk.end(signal.SIGTERM) == 0
    assert all_gone(family)


def replaced(desk: Desk, word: str, victim: psutil.Process) -> bool:
    try:
        return desk.child(word).pid != victim.pid
    except (StopIteration, psutil.Error):
        return False


def test_external_database_and_programs_apart(
    start: Callable[..., Desk], data_dir: Path, database_url: str
) -> None:
    """With DATABASE_URL nothing is embedded; several of a kind; `serve` and `work` stand alone beside it."""
    desk = start(DATABASE_URL=database_url, OTKLIK_WEB_PROCESSES="2", OTKLIK_WORK_PROCESSES="2")
    address = desk.ready()
    assert [desk.count(word) for word in ("serve", "work")] == [2, 2]
    desk.child("serve").kill()
    assert alive(address), "the other one answers"
    eventually_sync(lambda: desk.count("serve") == 2, _PATIENCE)
    assert "embedded" not in desk.output
    assert not [p for p in desk.family() if p.name() == "postgres"]
    assert desk.end() == 0
    port = address.rpartition(":")[2]
    env = clean_env(data_dir) | {"DATABASE_URL": database_url, "OTKLIK_PORT": port}
    apart = [
        subprocess.Popen(
            [sys.executable, "-m", "app.cli", name], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
        )
        for name in ("serve", "work")
    ]
    try:
        eventually_sync(lambda: works(address), _PATIENCE)
    finally:
        for process in apart:
            process.terminate()
        codes = [process.wait(20) for process in apart]
    assert codes[1] == 0
    assert codes[0] in (0, -signal.SIGTERM)


def test_taken_port_is_one_sentence(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = otklik(data_dir, "up", OTKLIK_PORT=port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "OTKLIK_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not data_dir.exists(), "nothing was begun"


def test_second_up_on_one_folder_is_one_sentence(desk: Desk, data_dir: Path) -> None:
    address = desk.ready()
    done = otklik(data_dir, "up")
    assert done.returncode == 2
    assert "in use by another Otklik" in done.stderr
    assert "Traceback" not in done.stderr
    assert alive(address)
    desk.end()


def test_other_commands_find_the_running_database(desk: Desk, data_dir: Path) -> None:
    desk.ready()
    assert otklik(data_dir, "migrate").returncode == 0
    found = otklik(data_dir, "doctor").stdout
    assert re.search(r"✓ database: PostgreSQL 18\.", found)
    assert "✓ migrations: all applied" in found
    desk.end()


@pytest.mark.parametrize("command", ["serve", "work"])
def test_without_a_database_the_sentence_says_what_to_do(data_dir: Path, command: str) -> None:
    done = otklik(data_dir, command)
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OTKLIK_PORT", "http", "OTKLIK_PORT"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("OTKLIK_FILES", "ftp://x", "s3://bucket/prefix"),
        ("DATABASE_URL", "postgresql://127.0.0.1:9/x", "cannot be reached"),
        ("OTKLIK_DATA_DIR", "/proc/nowhere", "OTKLIK_DATA_DIR"),
        ("OTKLIK_LOG_LEVEL", "loud", "OTKLIK_LOG_LEVEL"),
    ],
)
def test_wrong_setting_is_one_sentence(data_dir: Path, name: str, value: str, words: str) -> None:
    done = otklik(data_dir, "up", **{name: value})
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from app import cli; cli.gather(); import typer.main; typer.main.get_command(cli.cli);"
        "heavy = {'sqlalchemy', 'pydantic', 'fastapi', 'asyncpg', 'aiogram', 'vk_api', 'httpx'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_program_starts_without_what_few_requests_need(data_dir: Path, command: str) -> None:
    code = f"""
import sys
from app import programs
from app.commands import run

def started(settings, **_):
    import app.main, app.worker
    from dialogs.schemas import DialogRow

    rare = {{"rich", "cryptography", "obstore", "alembic", "aiogram", "vk_api", "httpx", "nats"}}
    print(*sorted(name for name in rare if sys.modules.get(name)), "built" * DialogRow.__pydantic_complete__)

programs.{command} = started
run.{command}(**{{"fd": None}} if "{command}" == "serve" else {{}})
"""
    env = {**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:9/x", "OTKLIK_DATA_DIR": str(data_dir)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
