"""The first start: an administrator, a team and a site chat, so that a newcomer can begin at once."""

from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import passwords, people, teams
from app.agents.models import Agent
from app.agents.people import NewAgent
from app.core import facts
from app.core.facts import SYSTEM
from app.core.models import Installation
from channels import accounts, drafts
from channels.models import Channel

EMAIL = "admin@otklik.local"
_LOCK = 0x6F746B01
_NAMES = {"ru": ("Администратор", "Поддержка", "Сайт"), "en": ("Administrator", "Support", "Site chat")}


async def ensure(session: AsyncSession, *, locale: str = "ru") -> tuple[str, str] | None:
    """Make what a new installation needs; returns e-mail and password when there was no agent yet.

    May be called by several processes at once: they wait for each other.
    """
    await session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    await session.execute(insert(Installation).values(only=True).on_conflict_do_nothing())
    if await session.scalar(select(exists(select(Agent.id)))):
        return None
    name, team, chat = _NAMES.get(locale, _NAMES["en"])
    password = passwords.generate()
    admin = NewAgent(
        name=name,
        email=EMAIL,
        password_hash=await passwords.make_hash(password),
        role="admin",
        locale=locale,
        must_change_password=True,
    )
    agent = await people.create(session, admin, actor=SYSTEM, team_ids=[])
    support = await teams.create(session, name=team, member_ids=[agent.id], actor=SYSTEM)
    await _add_site_chat(session, name=chat, team_id=support.id)
    return EMAIL, password


async def _add_site_chat(session: AsyncSession, *, name: str, team_id: UUID) -> None:
    """A site chat has no secrets and nobody to ask, so it needs neither the box nor a call."""
    id = await drafts.new_id(session)
    draft = await drafts.draft(id, kind="webchat", name=name, settings={})
    channel = Channel(
        id=draft.id,
        kind="webchat",
        name=name,
        external_id=draft.id.hex,
        settings=draft.public(),
        secrets=b"",
        info={"title": name},
        webhook_key=draft.webhook_key,
    )
    session.add(channel)
    await session.flush()
    await accounts.set_teams(session, channel.id, [team_id])
    await facts.record(session, "channel.created", actor=SYSTEM, channel_id=channel.id)
