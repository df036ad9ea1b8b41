"""`otklik token`: API tokens for programs."""

from typing import Annotated

import typer

app = typer.Typer()
tokens = typer.Typer(name="token", help="API tokens.", no_args_is_help=True)
app.add_typer(tokens)


@tokens.callback()
def main() -> None:
    """API tokens."""


@tokens.command()
def create(
    email: Annotated[str, typer.Argument(help="E-mail or id of the agent or bot it acts for.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    scope: Annotated[list[str] | None, typer.Option(help="read, write, admin, inbound; repeatable")] = None,
) -> None:
    """Make a token and print it: it is shown only this once. Scopes: read and write if none is named."""
    from uuid import UUID

    from app.agents import people
    from app.agents import tokens as service
    from app.agents.models import Agent
    from app.commands.support import run_with_database
    from app.core.config import Settings
    from app.core.db import Database
    from app.core.errors import NotFound

    async def action(database: Database, _settings: Settings) -> str:
        async with database.transaction() as session:
            if "@" in email:
                agent = await people.find_by_email(session, email)
            else:
                agent = await session.get(Agent, UUID(email)) if _is_id(email) else None
            if agent is None:
                raise NotFound(f"There is no agent {email}: see `otklik agent list`.")
            _, text = await service.issue(
                session, agent_id=agent.id, name=name, scopes=scope or ["read", "write"]
            )
            return text

    typer.echo(run_with_database(action))


def _is_id(text: str) -> bool:
    from uuid import UUID

    try:
        UUID(text)
    except ValueError:
        return False
    return True
