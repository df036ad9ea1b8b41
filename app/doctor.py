"""`otklik doctor`: what works, what does not, what is slow or soon will be; for people or as JSON."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from rich.console import Console
from rich.markup import escape

from app.core import cluster, heartbeat, migrate, runtime
from app.core.config import Settings, SettingsError, load
from app.diagnosis import look
from app.diagnosis.finding import LEVELS, Finding, language

_ROOT = Path(__file__).resolve().parent.parent
_SIGNS = {"note": "[blue]·[/]", "warning": "[yellow]![/]", "broken": "[red]✗[/]"}
_BROKEN = LEVELS.index("broken")


def examine(*, as_json: bool = False) -> int:
    """Print the findings; returns how bad the worst is: 0 well, 1 a warning, 2 broken."""
    checks, findings = _examined()
    worst = max(look.worst(findings), *(0 if good else _BROKEN for good, _ in checks.values()))
    told = [finding.told(language()) for finding in findings]
    if as_json:
        known = {name: {"ok": good, "said": said} for name, (good, said) in checks.items()}
        body = {"level": ("well", *LEVELS[1:])[worst], "checks": known, "findings": told}
        Console(highlight=False, soft_wrap=True, markup=False).print(orjson.dumps(body, option=2).decode())
    else:
        _print(checks, told)
    return worst


def _examined() -> tuple[dict[str, tuple[bool, str]], list[Finding]]:
    checks: dict[str, tuple[bool, str]] = {}
    try:
        settings = load()
    except SettingsError as error:
        return {"settings": (False, str(error))}, []
    checks["settings"] = (True, "")
    for name, check in _CHECKS.items():
        try:
            checks[name] = (True, check(settings))
        except SettingsError as error:
            checks[name] = (False, str(error))
    findings = look.at_machine(settings)
    if checks["database"][0] and checks["migrations"][0]:
        try:
            findings += asyncio.run(look.at_database(_address(settings)))
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            findings.append(Finding("broken", "not_looked", "PostgreSQL", {"reason": type(error).__name__}))
    return checks, findings


def _print(checks: dict[str, tuple[bool, str]], told: list[dict[str, Any]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, (good, said) in checks.items():
        sign = "[green]✓[/]" if good else "[red]✗[/]"
        console.print(f"{sign} {name}{escape(f': {said}' if said else '')}")
    for finding in told:
        console.print(f"{_SIGNS[finding['level']]} {escape(finding['where'])}: {escape(finding['what'])}")
        console.print(f"    {escape(finding['why'])}\n    → {escape(finding['do'])}")


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
    "embedded PostgreSQL": _binaries,
    "console": _built("console"),
    "widget": _built("widget"),
}
