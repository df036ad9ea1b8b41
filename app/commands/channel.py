"""`otklik channel`: connecting and looking after channels from the command line."""

import os
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from channels.base import AdapterSettings
    from channels.models import Channel
    from dialogs.channel_health import ChannelHealth

app = typer.Typer()
channels = typer.Typer(name="channel", help="Channels: connected accounts.", no_args_is_help=True)
app.add_typer(channels)


@channels.command()
def add(
    kind: Annotated[str, typer.Argument(help="telegram, vk, email, webchat or api")],
    name: Annotated[str, typer.Argument(help="How agents call it.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            help="KEY=VALUE; a dot leads inside (http.timeout=10). Secrets that are not given are taken "
            "from OTKLIK_CHANNEL_<KEY> in the environment, or asked for."
        ),
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="Team that serves it, by name; repeatable")] = None,
) -> None:
    """Connect an account. It is saved only after a real call to its platform succeeded."""
    import asyncio

    from channels import drafts

    adapter = asyncio.run(drafts.load_kind(kind))
    channel = _connect(kind, name, _with_secrets(adapter.Settings, _values(settings or [])), team)
    typer.echo(f"Connected {channel.info.get('title') or channel.name}: {channel.id}")
    if channel.error:
        typer.echo(f"But it could not be started: {channel.error}")


def _connect(kind: str, name: str, values: dict[str, Any], team: list[str] | None) -> "Channel":
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.secrets import open_box
    from channels import accounts

    async def action(database: Database, program: Settings) -> "Channel":
        team_ids = await _teams(database, team)
        try:
            return await accounts.connect(
                database,
                open_box(program),
                program,
                kind=kind,
                name=name,
                values=values,
                team_ids=team_ids,
            )
        finally:
            await accounts.close_all()

    return run_with_database(action)


def _values(pairs: list[str]) -> dict[str, Any]:
    from app.core.errors import Invalid

    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Invalid(f"`{key}` must be KEY=VALUE.")
        *outer, last = key.split(".")
        inside = values
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = value
    return values


def _with_secrets(settings: "type[AdapterSettings]", values: dict[str, Any]) -> dict[str, Any]:
    """Secrets do not belong on a command line, where `ps` shows them."""
    from channels.base import secret_fields

    for name in secret_fields(settings):
        if values.get(name):
            continue
        given = os.environ.get(f"OTKLIK_CHANNEL_{name.upper()}")
        if not given and settings.model_fields[name].is_required():
            given = typer.prompt(name, hide_input=True)
        if given:
            values[name] = given
    return values


async def _teams(database: Any, names: list[str] | None) -> list[UUID]:
    from app.agents import teams
    from app.core.errors import NotFound

    async with database.transaction() as session:
        if not names:
            return await teams.only_team(session)
        known = {team.name: team.id for team in await teams.list_all(session)}
    for name in names:
        if name not in known:
            raise NotFound(f"There is no team {name}; there are: {', '.join(known) or 'none'}.")
    return [known[name] for name in names]


@channels.command("list")
def list_() -> None:
    """List channels: id, kind, condition, name, how much waits and for how long, last error."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from dialogs import channel_health

    async def action(database: Database, _settings: Settings) -> "list[tuple[Any, ChannelHealth]]":
        return await channel_health.look(database.raw)

    for row, health in run_with_database(action):
        waits = [
            f"{word} {count} ({seconds or 0:.0f} s)"
            for word, count, seconds in (
                ("to understand", health.waiting_in, health.waiting_in_seconds),
                ("to send", health.waiting_out, health.waiting_out_seconds),
            )
            if count
        ]
        error = f"  ! {row['error']}" if row["error"] else ""
        lag = f"  [{', '.join(waits)}]" if waits else ""
        typer.echo(f"{row['channel_id']}  {row['kind']:8} {health.condition:8} {row['name']}{lag}{error}")


@channels.command()
def check(id: UUID) -> None:
    """Call the platform; a stopped channel that is well again becomes active."""
    _called(id, activate=False)


@channels.command()
def resume(id: UUID) -> None:
    """Make a paused or stopped channel active again, after a real call."""
    _called(id, activate=True)


def _called(id: UUID, *, activate: bool) -> None:
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.secrets import open_box
    from channels import accounts
    from channels.models import Channel

    async def action(database: Database, settings: Settings) -> Channel:
        try:
            return await accounts.check(
                database, open_box(settings), settings, channel_id=id, activate=activate
            )
        finally:
            await accounts.close_all()

    channel = run_with_database(action)
    typer.echo(f"{channel.info.get('title') or channel.name} answers; the channel is {channel.state}.")


@channels.command()
def pause(id: UUID) -> None:
    """Stop pulling and sending; what platforms push is still stored."""
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.facts import SYSTEM
    from channels import accounts

    async def action(database: Database, _settings: Settings) -> str:
        async with database.transaction() as session:
            channel = await accounts.get(session, id, lock=True)
            await accounts.pause(session, channel, actor=SYSTEM)
            return channel.name

    typer.echo(f"{run_with_database(action)} is paused.")
