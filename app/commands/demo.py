"""`otklik demo`: a story to look at, and customers who keep writing while it runs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.core.config import Settings
    from app.demo.run import Ready, Wishes

app = typer.Typer()


@app.command()
def demo(
    locale: Annotated[str, typer.Option(help="Language of the shop: ru or en; customers speak both.")] = "ru",
    quiet_seconds: Annotated[
        float, typer.Option(min=0.1, help="Longest silence between two customers' messages.")
    ] = 12,
    once: Annotated[
        bool, typer.Option("--once", help="Tell the story, let one customer write, and end.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="The same number gives the same course of events.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Even among real customers, or where others can reach the server.")
    ] = False,
    scale: Annotated[
        bool, typer.Option("--scale", help="Instead of the story: a year of a large desk, in minutes.")
    ] = False,
    customers: Annotated[int, typer.Option(min=100, help="With --scale: how many customers.")] = 200_000,
    messages: Annotated[int, typer.Option(min=1000, help="With --scale: how many messages.")] = 3_000_000,
) -> None:
    """Fill the database with a shop's story and let its customers keep writing, until Ctrl-C."""
    if scale:
        _scale(customers=customers, messages=messages, seed=seed or 1, sure=yes)
        return
    from app.core import runtime
    from app.core.config import SettingsError
    from app.demo.run import Wishes

    if locale not in ("ru", "en"):
        raise SettingsError("--locale must be ru or en.")
    wishes = Wishes(locale=locale, longest=quiet_seconds, once=once, seed=seed, sure=yes)
    settings = _settings()
    running = runtime.find(settings.data_dir)
    if running is None and not settings.database_url:
        raise SettingsError(
            "Otklik does not run here: start `make run` (or `otklik up`) first, then the demo beside it; "
            "or set DATABASE_URL."
        )
    _run(wishes, running.address if running else settings.url)


def _scale(*, customers: int, messages: int, seed: int, sure: bool) -> None:
    from app.commands.demo_scale import run

    run(customers=customers, messages=messages, seed=seed, sure=sure)


def _settings() -> "Settings":
    from app.core.config import load

    return load()


def _run(wishes: "Wishes", address: str) -> None:
    import asyncio
    import signal
    from contextlib import suppress

    from asyncpg import InterfaceError, PostgresError
    from sqlalchemy.exc import DBAPIError

    from app.commands.support import run_with_database
    from app.core import logs
    from app.core.config import Settings
    from app.core.db import Database
    from app.demo.run import run

    async def action(database: Database, settings: Settings) -> None:
        # What the platforms do is the server's log; here is talk for people.
        logs.setup(level="error", json=settings.log_json)
        this = asyncio.current_task()
        assert this is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
        typer.echo("Demo: starting; telling the story takes half a minute at the most …")
        await run(database, settings, wishes, ready=lambda state: _tell(state, wishes, address))

    try:
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            run_with_database(action)
    except (OSError, PostgresError, InterfaceError, DBAPIError):
        typer.echo(
            "Demo: ended, as the database went away. When Otklik runs again, `demo` goes on.", err=True
        )
        raise typer.Exit(1) from None
    typer.echo(
        "Demo: ended. Its Telegram, VK and mail channels are paused; the story stays, `demo` goes on with it."
    )


def _tell(state: "Ready", wishes: "Wishes", address: str) -> None:
    from app.demo.people import PASSWORD
    from app.demo.people import address as mail

    typer.echo(
        f"\nDemo: {'the story is told' if state.new else 'the story was here already'}. Open {address}"
    )
    if state.admin:
        typer.echo(f"  First administrator   {state.admin[0]}  {state.admin[1]}")
    for key, role in (("olga", "lead of support"), ("emily", "agent"), ("vera", "administrator")):
        typer.echo(f"  {role:20}  {mail(key)}  {PASSWORD}")
    typer.echo(
        "Try: 1. sign in as the lead and answer who waits longest: the customer will reply;\n"
        f"     2. open {address}/demo-chat in another window and write to yourself;\n"
        "     3. make a task from a message, give it to a colleague, finish it, look at the dialog."
    )
    if not wishes.once:
        typer.echo("Customers keep writing. Ctrl-C ends the demo.\n")
