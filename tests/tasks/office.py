"""A small office for tests of tasks: two teams, a lead, an admin, two channels, customers who wrote."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent, Team, TeamMember
from app.agents.viewer import Viewer, load
from app.core.db import Database
from app.core.models import Fact
from channels.models import Channel, ChannelTeam
from dialogs.models import Customer, Dialog, Message
from tasks import queries, tasks
from tasks.schemas import TaskNew, TaskOut


@dataclass
class Office:
    """Anna sells, Boris repairs, Lena leads the sellers, Max is in no team, Root is the admin."""

    db: Database
    agents: dict[str, UUID] = field(default_factory=dict)
    teams: dict[str, UUID] = field(default_factory=dict)
    channels: dict[str, UUID] = field(default_factory=dict)

    async def viewer(self, name: str) -> Viewer:
        async with self.db.transaction() as session:
            return await load(session, self.agents[name])

    async def customer(self, name: str = "Clara") -> UUID:
        async with self.db.transaction() as session:
            customer = Customer(name=name)
            session.add(customer)
            await session.flush()
            return customer.id

    async def dialog(
        self, customer: UUID | None = None, *, text: str = "Where is my parcel?", **values: Any
    ) -> UUID:
        """A dialog of the sellers' channel with one message; `values` go into the row."""
        customer = customer or await self.customer()
        if values.get("status") == "closed":
            values.setdefault("closed_at", datetime.fromisoformat("2026-01-05T10:00:00+00:00"))
        async with self.db.transaction() as session:
            dialog = Dialog(
                customer_id=customer,
                preview=text,
                inbound_count=1,
                **{"channel_id": self.channels["shop"], **values},
            )
            session.add(dialog)
            await session.flush()
            session.add(Message(customer_id=customer, dialog_id=dialog.id, direction="in", text=text))
            return dialog.id

    async def message(self, dialog_id: UUID) -> UUID:
        """The first message of a dialog."""
        async with self.db.transaction() as session:
            query = select(Message.id).where(Message.dialog_id == dialog_id).order_by(Message.seq)
            return (await session.scalars(query)).first() or uuid4()

    async def task(self, by: str = "anna", **values: Any) -> TaskOut:
        viewer = await self.viewer(by)
        async with self.db.transaction() as session:
            task = await tasks.create(session, viewer, TaskNew(**{"title": "Look for the parcel", **values}))
            return await queries.task(session, task.id)

    async def get(self, dialog_id: UUID) -> Dialog:
        async with self.db.transaction() as session:
            return await session.get_one(Dialog, dialog_id)

    async def lines(self, dialog_id: UUID) -> list[dict[str, Any]]:
        """`meta` of the system lines of a dialog."""
        async with self.db.transaction() as session:
            query = (
                select(Message.meta)
                .where(Message.dialog_id == dialog_id, Message.direction == "system")
                .order_by(Message.seq)
            )
            return list(await session.scalars(query))

    async def facts(self, *types: str) -> Sequence[Fact]:
        """The log so far, of these types."""
        async with self.db.transaction() as session:
            query = select(Fact).order_by(Fact.id)
            return (await session.scalars(query.where(Fact.type.in_(types)) if types else query)).all()


async def furnish(db: Database) -> Office:
    office = Office(db)
    async with db.transaction() as session:
        await _people(session, office)
        for name, team in (("shop", "sales"), ("mail", "repair")):
            channel = Channel(kind="webchat", name=name, external_id=name, secrets=b"", webhook_key=name)
            session.add(channel)
            await session.flush()
            office.channels[name] = channel.id
            session.add(ChannelTeam(channel_id=channel.id, team_id=office.teams[team]))
    return office


async def _people(session: AsyncSession, office: Office) -> None:
    for name in ("sales", "repair"):
        team = Team(name=name)
        session.add(team)
        await session.flush()
        office.teams[name] = team.id
    for name, role, team_name in (
        ("anna", "agent", "sales"),
        ("sergey", "agent", "sales"),
        ("lena", "lead", "sales"),
        ("boris", "agent", "repair"),
        ("max", "agent", None),
        ("root", "admin", None),
    ):
        agent = Agent(name=name.title(), email=f"{name}@example.org", role=role)
        session.add(agent)
        await session.flush()
        office.agents[name] = agent.id
        if team_name:
            session.add(TeamMember(team_id=office.teams[team_name], agent_id=agent.id))
