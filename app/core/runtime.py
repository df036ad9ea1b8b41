"""Where a running `otklik up` left its addresses for other commands on the same data folder."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from app.core.config import Settings, SettingsError

_FILE = "runtime.json"


@dataclass(frozen=True)
class Runtime:
    """The process that runs `up`, told apart from a later one with the same number by its start."""

    pid: int
    started: float
    address: str
    database_url: str


def write(data_dir: Path, *, address: str, database_url: str) -> None:
    own = Runtime(os.getpid(), psutil.Process().create_time(), address, database_url)
    target = data_dir / _FILE
    fresh = target.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(own)))
    fresh.replace(target)


def remove(data_dir: Path) -> None:
    (data_dir / _FILE).unlink(missing_ok=True)


def find(data_dir: Path) -> Runtime | None:
    """The `up` that runs on this data folder now, or None."""
    with suppress(OSError, ValueError, TypeError, psutil.Error):
        found = Runtime(**json.loads((data_dir / _FILE).read_text()))
        if abs(psutil.Process(found.pid).create_time() - found.started) < 2:
            return found
    return None


def with_database(settings: Settings) -> Settings:
    """`settings` with the address of the database; raises `SettingsError` when none is to be had."""
    if settings.database_url:
        return settings
    running = find(settings.data_dir)
    if running is None:
        raise SettingsError(
            "No database: set DATABASE_URL, or start `otklik up`, whose embedded database then serves "
            f"this command too (looked in {settings.data_dir.absolute()})."
        )
    return settings.model_copy(update={"database_url": running.database_url})
