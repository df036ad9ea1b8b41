"""Which migration is the newest here, and whether a database has it; for who only asks, without alembic."""

import re
from functools import cache
from pathlib import Path

import asyncpg

from app.core.db import RawConnection, RawPool

_FOLDER = Path(__file__).resolve().parent.parent.parent / "migrations" / "versions"
_NAMES = re.compile(r'^(revision|down_revision)\b[^=\n]*= "(\w+)"', re.MULTILINE)


@cache
def newest() -> str:
    """The revision that no other follows."""
    found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for path in _FOLDER.glob("*.py"):
        for kind, name in _NAMES.findall(path.read_text()):
            found[kind].add(name)
    (head,) = found["revision"] - found["down_revision"]
    return head


async def is_newest(connection: RawConnection | RawPool) -> bool:
    """Whether the database is at the schema of this program, neither older nor newer."""
    try:
        return bool(await connection.fetchval("select version_num from alembic_version") == newest())
    except asyncpg.UndefinedTableError:
        return False
