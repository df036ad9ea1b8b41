"""What `make` does when something is missing: it installs, or says so; never silently less."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import eventually, require

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH of a user who is not root, on a machine without Chromium and without Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "tr", "cat", "cut", "rm", "mkdir"):
        (folder / name).symlink_to(shutil.which(name) or "")
    (folder / "id").write_text("#!/bin/sh\necho 1000\n")
    (folder / "id").chmod(0o755)
    return str(folder)


def script(name: str, path: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts" / name],
        env={"PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_peers_are_listed_loudly(bare_path: str) -> None:
    done = script("peers.sh", bare_path)
    assert done.returncode == 0
    assert "LEFT OUT" in done.stderr
    assert "chromium" in done.stderr


def test_missing_peers_fail_in_ci(bare_path: str) -> None:
    assert script("peers.sh", bare_path, CI="true").returncode == 1


def test_missing_python_is_one_sentence(bare_path: str, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    for name in ("requirements.lock", "requirements-dev.lock"):
        (checkout / name).touch()
    os.symlink("/usr/bin/cksum", Path(bare_path) / "cksum")
    done = subprocess.run(
        ["/bin/sh", checkout / "scripts" / "python.sh", "run"],
        env={"PATH": bare_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr


def test_require_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    assert require("sh") == shutil.which("sh")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require("no-such-program")


async def test_eventually_gives_up_with_the_reason() -> None:
    def never() -> bool:
        assert 1 == 2, "one is not two"
        return True

    with pytest.raises(pytest.fail.Exception, match="one is not two"):
        await eventually(never, 0.1)


def test_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("run", "test", "lint", "fmt", "console", "demo", "bench", "bench-smoke", "clean"):
        assert f"make {target} " in done.stdout


def test_every_script_can_be_run() -> None:
    for path in [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]:
        if path.name != "common.sh":
            assert os.access(path, os.X_OK), path
        subprocess.run(["/bin/sh", "-n", path], check=True)
