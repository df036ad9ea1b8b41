"""`otklik inbound`: raw events that could not be understood."""

from typing import Annotated

import typer

app = typer.Typer()
events = typer.Typer(name="inbound", help="Raw events as platforms sent them.", no_args_is_help=True)
app.add_typer(events)


@events.command("list")
def list_(
    state: Annotated[str, typer.Option(help="quarantined, new, ignored or done")] = "quarantined",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List events: id, channel, when it came, its key, why it was not understood."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from channels import inbound
    from channels.models import Inbound

    async def action(database: Database, _settings: Settings) -> list[Inbound]:
        async with database.transaction() as session:
            return await inbound.list_some(session, state=state, limit=limit)

    for event in run_with_database(action):
        came = f"{event.received_at:%Y-%m-%d %H:%M:%S}"
        typer.echo(f"{event.id}  {event.channel_id}  {came}  {event.key}  {event.error or ''}".rstrip())


@events.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers from the list.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything in quarantine.")] = False,
) -> None:
    """Try to understand events again; a running Otklik takes them up within seconds."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.errors import Invalid
    from channels import inbound

    if bool(ids) == every:
        raise Invalid("Name the events to replay, or give --all.")

    async def action(database: Database, _settings: Settings) -> int:
        async with database.transaction() as session:
            wanted = ids or [event.id for event in await inbound.list_some(session, limit=100_000)]
            for id in sorted(wanted):
                await inbound.replay(session, id)
            return len(wanted)

    typer.echo(f"{run_with_database(action)} to be understood again.")


@events.command()
def trace(
    id: Annotated[
        str, typer.Argument(help="Of a message, a raw event, an event of the platform, or a request.")
    ],
) -> None:
    """Follow a message: the request that brought it, its raw event, the message, the facts told of it."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.errors import NotFound
    from dialogs import traces

    async def action(database: Database, _settings: Settings) -> traces.Way:
        return await traces.find(database.raw, id)

    way = run_with_database(action)
    if not any(way.values()):
        raise NotFound("There is no message, raw event or request with this id.")
    for name, rows in way.items():
        for row in rows:
            said = (f"{key}={value}" for key, value in row.items() if value is not None)
            typer.echo(f"{name.removesuffix('s')}  {'  '.join(said)}")
