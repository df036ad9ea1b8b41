"""Customers of a test of merging: who wrote, how things stand between them, what was merged."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.api.conftest import Client
from tests.dialogs.desk import Chat, Desk

_CUSTOMERS = "select id, name, phone, email, about from customers where id = any($1::uuid[])"
_IDENTITIES = "select external_id, customer_id from identities where scope = $1"
_DIALOGS = """
select id, customer_id, status, snoozed_until, closed_at, waiting_since, assignee_id, team_id, inbound_count,
       preview
from dialogs where channel_id = $1
"""
_MESSAGES = """
select m.text, m.direction, m.customer_id, m.dialog_id from messages m join dialogs d on d.id = m.dialog_id
where d.channel_id = $1 and m.direction <> 'system'
"""


async def merge(client: Client, kept: UUID, merged: UUID) -> Any:
    return await client.post(f"/customers/{kept}/merge", json={"customer_id": str(merged)})


@dataclass
class People:
    """Some customers on a chat of their own, by name, and the merges among them that stand."""

    desk: Desk
    chat: Chat
    ids: dict[str, UUID] = field(default_factory=dict)
    merges: list[UUID] = field(default_factory=list)

    @classmethod
    async def at(cls, desk: Desk, *names: str) -> "People":
        people = cls(desk, await desk.chat())
        for name in names:
            await people.write(name, f"Hello from {name}")
        return people

    async def write(self, name: str, text: str) -> dict[str, Any]:
        row = await self.chat.write(name, text)
        self.ids.setdefault(name, row["customer_id"])
        return row

    async def merge(self, kept: str, merged: str) -> UUID:
        answer = await merge(self.desk.anna, self.ids[kept], self.ids[merged])
        assert answer.status_code == 201, answer.text
        self.merges.append(UUID(answer.json()["merges"][0]["id"]))
        return self.merges[-1]

    async def undo(self, merge: UUID) -> None:
        answer = await self.desk.anna.post(f"/merges/{merge}/undo")
        assert answer.status_code == 200, answer.text
        self.merges.remove(merge)

    async def card(self, name: str) -> Any:
        answer = await self.desk.anna.get(f"/customers/{self.ids[name]}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def open_dialog(self, name: str) -> dict[str, Any]:
        owner = (await self.card(name))["id"]
        return await self.desk.row(
            "select * from dialogs where customer_id = $1 and status <> 'closed'", UUID(owner)
        )

    async def state(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that a merge touches and that undoing it has to restore."""
        found = {
            "customers": await self.desk.rows(_CUSTOMERS, list(self.ids.values())),
            "identities": await self.desk.rows(_IDENTITIES, str(self.chat.id)),
            "dialogs": await self.desk.rows(_DIALOGS, self.chat.id),
            "messages": await self.desk.rows(_MESSAGES, self.chat.id),
        }
        return {name: sorted(rows, key=repr) for name, rows in found.items()}

    async def likeness(self) -> list[Any]:
        """The state without what differs between two who did the same: names for ids, no times."""
        names = {id: name for name, id in self.ids.items()}
        rows = await self.desk.rows(
            """
            select m.text, m.direction, m.customer_id, d.customer_id as owner, d.status, d.inbound_count,
                   d.waiting_since is not null as waits, i.external_id, i.customer_id as whose,
                   (select min(f.text) from messages f where f.dialog_id = d.id and direction = 'in') as first
            from messages m join dialogs d on d.id = m.dialog_id
            left join identities i on i.id = m.identity_id
            where d.channel_id = $1 and m.direction <> 'system' order by m.text
            """,
            self.chat.id,
        )
        return [{key: names.get(value, value) for key, value in row.items()} for row in rows]
