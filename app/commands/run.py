"""The programs: `up` (all in one), `serve` (web), `work` (loops), and `migrate` and `doctor` beside them."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def up(
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="Stop when the process that started us dies.")
    ] = False,
) -> None:
    """Start everything: database, web and loops, in one process tree. Ctrl-C stops it."""
    from app.commands.support import settings_and_logs
    from app.core.lifeline import follow_parent
    from app.processes import up as run_all

    if with_parent:
        follow_parent()
    raise typer.Exit(run_all(settings_and_logs()))


@app.command()
def serve(
    fd: Annotated[int | None, typer.Option(hidden=True, help="Listening socket handed down by `up`.")] = None,
) -> None:
    """Start the web server alone: console, REST API, live feed, webhooks."""
    from app.core import lean

    lean.begin()
    from app import programs
    from app.commands.support import settings_and_logs
    from app.core.runtime import with_database

    programs.serve(with_database(settings_and_logs()), fd=fd)


@app.command()
def work() -> None:
    """Start the loops alone: receiving, sending, timers. Several may run at once."""
    from app.core import lean

    lean.begin()
    from app import programs
    from app.commands.support import settings_and_logs
    from app.core.runtime import with_database

    programs.work(with_database(settings_and_logs()))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database

    async def nothing(_database: Database, _settings: Settings) -> None:
        """The helper has migrated already."""

    run_with_database(nothing)
    typer.echo("The database is up to date.")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what works and what is slow, and what to do. Exit code: 0 well, 1 warnings, 2 broken."""
    from app.doctor import examine

    raise typer.Exit(examine(as_json=as_json))
