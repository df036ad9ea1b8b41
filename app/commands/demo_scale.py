"""`otklik demo --scale`: makes a large desk, with a bar that tells how far it is."""

import time
from typing import TYPE_CHECKING

import typer

from app.commands.support import run_with_database

if TYPE_CHECKING:
    from app.core.config import Settings
    from app.core.db import Database


def run(*, customers: int, messages: int, seed: int, sure: bool) -> None:
    """Fill the database of this installation, or the embedded one started for now."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from app.demo.people import PASSWORD
    from app.demo.scale import desk, load
    from app.demo.scale.plan import Size

    order = load.Order(Size(customers, messages), seed, sure)
    began = time.monotonic()
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        goals = {"customers": customers, "dialogs": order.size.dialogs, "messages": messages}
        bars = {what: progress.add_task(what, total=total) for what, total in goals.items()}

        async def action(database: "Database", settings: "Settings") -> None:
            await load.fill(
                database, settings, order, advance=lambda what, more: progress.advance(bars[what], more)
            )

        run_with_database(action)
    typer.echo(f"Made in {time.monotonic() - began:.0f} s. Sign in with the password {PASSWORD}:")
    for role in ("admin", "lead", "agent"):
        typer.echo(f"  {role:6} {desk.address(role)}")
