"""Findings about this machine: disks and settings that do not fit it."""

import os
import shutil
import statistics
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from app.core import storage
from app.core.config import Settings
from app.diagnosis.finding import Finding

LOW_SPACE = 1024**3
SLOW_MS = 10.0
_TRIES = 9


def space(settings: Settings) -> list[Finding]:
    """Room in the data folder and where attachments are."""
    found = []
    folders = {_existing(settings.data_dir)}
    if settings.files and "://" not in settings.files:
        folders.add(_existing(Path(settings.files)))
    for folder in sorted(folders):
        free = shutil.disk_usage(folder).free
        if free < LOW_SPACE:
            level = "broken" if free < storage.LEAST_FREE else "warning"
            found.append(Finding(level, "disk_low", str(folder), {"free": free // 2**20}))
    return found


def disk(settings: Settings) -> list[Finding]:
    """How long it takes until a page is really on the disk of the data folder."""
    if settings.database_url:
        return []  # the database writes somewhere else
    folder = _existing(settings.data_dir)
    milliseconds = write_through(folder)
    if milliseconds is None or milliseconds < SLOW_MS:
        return []
    return [Finding("warning", "disk_slow", str(folder), {"milliseconds": round(milliseconds)})]


def write_through(folder: Path) -> float | None:
    """Median of some writes of 8 kB, in milliseconds; None when the folder cannot be written."""
    target = folder / f".otklik-{uuid4().hex}"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return None
    try:
        return statistics.median(_write(descriptor) for _ in range(_TRIES))
    except OSError:
        return None
    finally:
        os.close(descriptor)
        with suppress(OSError):
            target.unlink()


def _write(descriptor: int) -> float:
    began = time.perf_counter()
    os.pwrite(descriptor, os.urandom(8192), 0)
    os.fdatasync(descriptor)
    return (time.perf_counter() - began) * 1000


def cores(settings: Settings) -> list[Finding]:
    """Two pools of a process against the cores: for a database on the same machine."""
    count = os.cpu_count() or 1
    if 2 * settings.pool_size <= max(8, 8 * count):
        return []
    values = {"size": settings.pool_size, "cores": count, "better": max(2, 2 * count)}
    return [Finding("note", "pool_and_cores", "OTKLIK_POOL_SIZE", values)]


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
