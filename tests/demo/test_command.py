"""`otklik demo` says what is missing before it touches anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import cli


def _refused(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> str:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("OTKLIK_DATA_DIR", str(folder))
    if not cli.cli.registered_groups:
        cli.gather()
    done = CliRunner().invoke(cli.cli, ["demo", *arguments])
    assert done.exception is not None
    assert cli._is_expected(done.exception), repr(done.exception)
    return str(done.exception)


def test_without_a_server_it_says_what_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "make run" in _refused(monkeypatch, tmp_path)
    assert not list(tmp_path.iterdir()), "it starts no server of its own"


def test_it_knows_two_languages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "--locale" in _refused(monkeypatch, tmp_path, "--locale", "fr")
