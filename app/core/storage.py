"""A disk that is full: knowing it when it is met, saying where, and remembering it for a while."""

import errno
import shutil
import time
from pathlib import Path

import structlog

from app.core.errors import Unavailable

log = structlog.get_logger()

LEAST_FREE = 64 * 1024 * 1024
"""Bytes below which the disk of the data folder counts as full."""
RETRY_AFTER = 30
_REMEMBERED = 15.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_met: dict[str, float] = {}


class StorageFull(Unavailable):
    """Nothing can be stored until there is room again; what was stored is safe."""

    title = "The server's storage is full; try again later."

    def __init__(self, where: str) -> None:
        super().__init__(f"The storage of the {where} is full; try again later.", retry_after=RETRY_AFTER)


def find(error: BaseException) -> StorageFull | None:
    """The problem, when a full disk is why `error` came about; it is logged and remembered."""
    for link in _chain(error):
        where = _where(link)
        if where is not None:
            _met[where] = time.monotonic()
            log.error("storage.full", where=where, why=str(link)[:300])
            return StorageFull(where)
    return None


def _where(error: BaseException) -> str | None:
    if getattr(error, "sqlstate", None) == "53100":
        return "database"
    number = getattr(error, "errno", None)
    # obstore hands the operating system's words on.
    if number in _FULL or any(f"(os error {code})" in str(error) for code in _FULL):
        return "files"
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and len(found) < 10:
        found.append(error)
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return found


def full(folder: Path) -> list[str]:
    """What is full: met in the last seconds, or the disk of `folder`."""
    now = time.monotonic()
    places = {where for where, met in _met.items() if now - met < _REMEMBERED}
    if folder.exists() and shutil.disk_usage(folder).free < LEAST_FREE:
        places.add("disk")
    return sorted(places)
