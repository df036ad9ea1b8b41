"""`otklik agent`: people and bots from the command line, as when nobody can sign in any more."""

from typing import Annotated

import typer

app = typer.Typer()
agents = typer.Typer(name="agent", help="Agents and bots.", no_args_is_help=True)
app.add_typer(agents)


@agents.command()
def add(
    name: str,
    email: Annotated[str | None, typer.Argument(help="Not needed for bots.")] = None,
    role: Annotated[str, typer.Option(help="agent, lead or admin")] = "agent",
    bot: Annotated[
        bool, typer.Option("--bot", help="A bot: works with API tokens, has no password.")
    ] = False,
    locale: Annotated[str, typer.Option(help="ru or en")] = "ru",
    time_zone: str = "Europe/Moscow",
) -> None:
    """Add an agent; prints a generated password, which must be changed at the first login."""
    from app.agents import passwords, people
    from app.agents.people import NewAgent
    from app.agents.schemas import AgentNew
    from app.commands.support import run_with_database, said
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.facts import SYSTEM

    body = said(AgentNew, name=name, email=email, role=role, is_bot=bot, locale=locale, time_zone=time_zone)

    async def action(database: Database, _settings: Settings) -> str | None:
        password = None if bot else passwords.generate()
        new = NewAgent(
            **body.model_dump(exclude={"password", "team_ids"}),
            password_hash=await passwords.make_hash(password) if password else None,
            must_change_password=True,
        )
        async with database.transaction() as session:
            await people.create(session, new, actor=SYSTEM)
        return password

    password = run_with_database(action)
    typer.echo(f"Added {body.name}." + (f" Password: {password}" if password else ""))


@agents.command("list")
def list_() -> None:
    """List agents: id, role, state, e-mail, name."""
    from app.agents import people
    from app.agents.schemas import AgentOut
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database

    async def action(database: Database, _settings: Settings) -> list[AgentOut]:
        async with database.transaction() as session:
            return await people.list_all(session)

    for agent in run_with_database(action):
        state = "active" if agent.active else "inactive"
        role = "bot" if agent.is_bot else agent.role
        typer.echo(f"{agent.id}  {role:6} {state:8} {agent.email or '-':30} {agent.name}")


@agents.command()
def password(email: str) -> None:
    """Give an agent a new password and end all his sessions."""
    from app.agents import passwords, people
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.errors import NotFound
    from app.core.facts import SYSTEM

    fresh = passwords.generate()

    async def action(database: Database, _settings: Settings) -> None:
        hashed = await passwords.make_hash(fresh)
        async with database.transaction() as session:
            agent = await people.find_by_email(session, email)
            if agent is None:
                raise NotFound(f"There is no agent with the e-mail {email}: see `otklik agent list`.")
            await people.set_password(session, agent, hashed, actor=SYSTEM, must_change=True)

    run_with_database(action)
    typer.echo(f"New password of {email}: {fresh}")
