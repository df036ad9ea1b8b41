"""Who works at a large desk: twenty teams, sixty agents, ten channels that no platform stands behind."""

import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import passwords, people, teams
from app.agents.models import Agent
from app.agents.people import NewAgent
from app.core.facts import SYSTEM
from app.core.secrets import Box, random_token
from app.demo.people import PASSWORD
from channels import drafts, registry
from channels.models import Channel, ChannelTeam

DOMAIN = "scale.example"
TEAMS, AGENTS, LEADS, ADMINS = 20, 60, 8, 2
_CHANNELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("telegram", {"token": "100:scale"}),
    ("telegram", {"token": "101:scale"}),
    ("telegram", {"token": "102:scale"}),
    ("vk", {"token": "scale", "group_id": 100}),
    ("vk", {"token": "scale", "group_id": 101}),
    ("email", {"address": f"shop@{DOMAIN}", "imap_host": "127.0.0.1", "smtp_host": "127.0.0.1"}),
    ("email", {"address": f"sales@{DOMAIN}", "imap_host": "127.0.0.1", "smtp_host": "127.0.0.1"}),
    ("webchat", {}),
    ("webchat", {}),
    ("api", {}),
)
_LOCAL = ("webchat", "api")


@dataclass(frozen=True, slots=True)
class Place:
    """A channel and the teams that serve it."""

    id: UUID
    kind: str
    teams: tuple[UUID, ...]

    @property
    def scope(self) -> str:
        return str(self.id) if self.kind in _LOCAL else self.kind


@dataclass(frozen=True)
class Desk:
    """`members`: agents by team."""

    places: tuple[Place, ...]
    members: dict[UUID, list[UUID]]
    agents: list[UUID]


def address(role: str, number: int = 1) -> str:
    return f"{role}{number:02}@{DOMAIN}"


async def make(session: AsyncSession, box: Box, dice: random.Random) -> Desk:
    """Hire everybody and connect the channels; those of platforms are paused, as nobody answers there."""
    ids = [
        (await teams.create(session, name=f"Scale {number:02}", actor=SYSTEM)).id
        for number in range(1, TEAMS + 1)
    ]
    members: dict[UUID, list[UUID]] = {team: [] for team in ids}
    agents = []
    for number in range(AGENTS):
        own = [] if number < ADMINS else dice.sample(ids, 3)
        agents.append(await _hire(session, number, own))
        for team in own:
            members[team].append(agents[-1])
    hashed = await passwords.make_hash(PASSWORD)
    await session.execute(update(Agent).where(Agent.id.in_(agents)).values(password_hash=hashed))
    places = [await _connect(session, box, number, ids) for number in range(len(_CHANNELS))]
    return Desk(tuple(places), members, agents)


async def _hire(session: AsyncSession, number: int, own: list[UUID]) -> UUID:
    if number < ADMINS:
        role, order = "admin", number + 1
    elif number < ADMINS + LEADS:
        role, order = "lead", number - ADMINS + 1
    else:
        role, order = "agent", number - ADMINS - LEADS + 1
    new = NewAgent(
        name=f"{role.capitalize()} {order:02}", email=address(role, order), password_hash=None, role=role
    )
    return (await people.create(session, new, actor=SYSTEM, team_ids=own)).id


async def _connect(session: AsyncSession, box: Box, number: int, ids: list[UUID]) -> Place:
    kind, values = _CHANNELS[number]
    draft = drafts.Draft(
        id=await drafts.new_id(session),
        kind=kind,
        name=f"Scale {kind} {number + 1}",
        settings=registry.load(kind).Settings.model_validate(values),
        webhook_key=random_token(),
        webhook_secret=random_token(),
    )
    session.add(
        Channel(
            id=draft.id,
            kind=kind,
            name=draft.name,
            external_id=f"scale-{number}",
            state="active" if kind in _LOCAL else "paused",
            settings=draft.public(),
            secrets=box.seal(draft.secrets()),
            webhook_key=draft.webhook_key,
        )
    )
    await session.flush()
    served_by = tuple(ids[number :: len(_CHANNELS)])
    session.add_all(ChannelTeam(channel_id=draft.id, team_id=team) for team in served_by)
    await session.flush()
    return Place(draft.id, kind, served_by)
