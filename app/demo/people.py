"""Who works at the demo's shop: teams, agents of all roles, a bot."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import passwords, people, teams, viewer
from app.agents.models import Agent, Team
from app.agents.people import NewAgent
from app.agents.viewer import Viewer
from app.core.facts import SYSTEM

PASSWORD = "cricket-demo"  # noqa: S105 - printed for everybody to see, only ever set on these agents
DOMAIN = "cricket-house.example"
TEAMS = {
    "support": ("Поддержка", "Support"),
    "warehouse": ("Склад", "Warehouse"),
    "sales": ("Продажи", "Sales"),
}


@dataclass(frozen=True)
class Colleague:
    """Names in Russian and English, role and teams."""

    names: tuple[str, str]
    role: str
    teams: tuple[str, ...]
    is_bot: bool = False


COLLEAGUES = {
    "vera": Colleague(("Вера Лапина", "Vera Lapina"), "admin", ("support", "sales")),
    "olga": Colleague(("Ольга Белова", "Olga Belova"), "lead", ("support",)),
    "tim": Colleague(("Тимур Галиев", "Tim Galiev"), "agent", ("support",)),
    "emily": Colleague(("Emily Carter", "Emily Carter"), "agent", ("support", "sales")),
    "james": Colleague(("James Whitfield", "James Whitfield"), "lead", ("sales",)),
    "pavel": Colleague(("Павел Ершов", "Pavel Ershov"), "agent", ("warehouse",)),
    "bot": Colleague(("Робот Сверчок", "Cricket the bot"), "agent", ("support",), is_bot=True),
}


def address(key: str) -> str:
    return f"{key}@{DOMAIN}"


async def make_teams(session: AsyncSession, locale: str) -> dict[str, UUID]:
    """The teams by key; those that are there by this name are taken."""
    found: dict[str, UUID] = {}
    for key, names in TEAMS.items():
        name = names[locale == "en"]
        known = await session.scalar(select(Team.id).where(Team.name == name))
        found[key] = known or (await teams.create(session, name=name, actor=SYSTEM)).id
    return found


async def make_agents(session: AsyncSession, team_ids: Mapping[str, UUID], locale: str) -> None:
    """Everybody of `COLLEAGUES`. Nobody can sign in before `let_in`."""
    for key, colleague in COLLEAGUES.items():
        new = NewAgent(
            name=colleague.names[locale == "en"],
            email=address(key),
            password_hash=None,
            role=colleague.role,
            is_bot=colleague.is_bot,
            locale=locale,
        )
        await people.create(session, new, actor=SYSTEM, team_ids=[team_ids[team] for team in colleague.teams])


async def let_in(session: AsyncSession) -> None:
    """The story is told: give the people their password. That they have one says so to later runs."""
    hashed = await passwords.make_hash(PASSWORD)
    mails = [address(key) for key, colleague in COLLEAGUES.items() if not colleague.is_bot]
    await session.execute(update(Agent).where(Agent.email.in_(mails)).values(password_hash=hashed))


async def are_in(session: AsyncSession) -> bool:
    """Whether the story was told here to its end."""
    agent = await find(session, "vera")
    return agent is not None and agent.password_hash is not None


async def find(session: AsyncSession, key: str) -> Agent | None:
    return await people.find_by_email(session, address(key))


async def viewers(session: AsyncSession) -> dict[str, Viewer]:
    """The colleagues as authors. As in a long history each of them may once have seen everything."""
    found: dict[str, Viewer] = {}
    for key in COLLEAGUES:
        agent = await find(session, key)
        if agent is not None and agent.active:
            found[key] = replace(await viewer.load(session, agent.id), role="admin")
    return found
