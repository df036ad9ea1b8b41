"""`otklik doctor`: what works and what does not, one line each."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
from rich.console import Console

from app.core import cluster, heartbeat, migrate, runtime
from app.core.config import Settings, SettingsError, load

_ROOT = Path(__file__).resolve().parent.parent
_LOW_SPACE = 1024**3


def examine() -> bool:
    """Print the findings; True when nothing stands in the way."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        settings = load()
    except SettingsError as error:
        console.print(f"[red]✗[/] settings: {error}")
        return False
    console.print("[green]✓[/] settings")
    good = True
    for name, check in _CHECKS.items():
        try:
            console.print(f"[green]✓[/] {name}: {check(settings)}")
        except SettingsError as error:
            good = False
            console.print(f"[red]✗[/] {name}: {error}")
    return good


def _address(settings: Settings) -> str:
    return runtime.with_database(settings).database_url or ""


def _database(settings: Settings) -> str:
    return f"PostgreSQL {asyncio.run(migrate.check_server(_address(settings)))}"


def _migrations(settings: Settings) -> str:
    if asyncio.run(migrate.pending(_address(settings))):
        raise SettingsError("not all applied: run `otklik migrate`.")
    return "all applied"


def _loops(settings: Settings) -> str:
    signs = asyncio.run(_signs(_address(settings)))
    if not signs:
        raise SettingsError("nobody receives and sends: start `otklik work`, or `otklik up`.")
    return "; ".join(_told(sign) for sign in signs)


async def _signs(url: str) -> list[heartbeat.Sign]:
    if await migrate.pending(url):
        raise SettingsError("not known before the database is migrated.")
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await heartbeat.fresh(connection)
    finally:
        await connection.close(timeout=5)


def _told(sign: heartbeat.Sign) -> str:
    failing = sign.detail.get("failing")
    return f"{sign.name} failing in {', '.join(failing)}" if failing else f"{sign.name} well"


def _space(settings: Settings) -> str:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < _LOW_SPACE:
        raise SettingsError(f"only {free // 2**20} MB free in {folder}: make room.")
    return f"{free / 2**30:.1f} GB free in {folder}"


def _binaries(settings: Settings) -> str:
    return "not needed" if settings.database_url else str(cluster.find_binaries())


def _built(part: str) -> Callable[[Settings], str]:
    def check(_settings: Settings) -> str:
        folder = _ROOT / part / "dist"
        if not folder.is_dir():
            raise SettingsError("not built: run `make console`.")
        return "built"

    return check


_CHECKS: dict[str, Callable[[Settings], str]] = {
    "database": _database,
    "migrations": _migrations,
    "loops": _loops,
    "disk": _space,
    "embedded PostgreSQL": _binaries,
    "console": _built("console"),
    "widget": _built("widget"),
}
