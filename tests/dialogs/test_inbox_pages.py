"""Pages of the inbox hold what the policy says, each dialog once, in the order that was asked for."""

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ColumnElement, select, true

from app.agents.viewer import Viewer
from channels.base import Sender
from dialogs import access, inbox_view
from dialogs.models import Dialog
from tests.dialogs.desk import Desk
from tests.dialogs.test_sight import channels, people

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_VIEW: dict[inbox_view.View, Callable[[Viewer], ColumnElement[bool]]] = {
    "mine": lambda viewer: Dialog.assignee_id == viewer.agent_id,
    "unassigned": lambda viewer: Dialog.assignee_id.is_(None),
    "team": lambda viewer: Dialog.team_id.in_(viewer.team_ids),
    "all": lambda viewer: true(),
}
ADD = """
with c as (insert into customers (name, email) values ($1, $2) returning id)
insert into dialogs (customer_id, channel_id, status, assignee_id, team_id, waiting_since, last_message_at)
select c.id, $3, $4, $5, $6, now() - make_interval(mins => $7), now() - make_interval(mins => $8) from c
returning id
"""


async def furnish(desk: Desk, viewers: list[Viewer], served: list[UUID]) -> None:
    chance = random.Random(5)
    agents = [None, None, *(viewer.agent_id for viewer in viewers)]
    teams = [None, desk.world.support, desk.world.sales]
    for number in range(160):
        status = chance.choice(["open", "open", "snoozed", "closed"])
        id = await desk.value(
            ADD,
            f"Customer {number}",
            f"c{number}@pages.example",
            chance.choice(served),
            status,
            chance.choice(agents),
            chance.choice(teams),
            None if status == "closed" else chance.choice([None, chance.randrange(50)]),
            chance.randrange(50),
        )
        if chance.random() < 0.2:
            sql = "insert into dialog_guests values ($1, $2, $3)"
            await desk.db.raw.execute(sql, id, chance.choice(viewers).agent_id, uuid4())
        if chance.random() < 0.2:
            sql = "insert into dialog_guest_teams values ($1, $2, $3)"
            await desk.db.raw.execute(sql, id, chance.choice(teams[1:]), uuid4())


def order(sort: inbox_view.Sort, row: Any) -> tuple[float, float, UUID]:
    if sort == "waiting" and row.waiting_since:
        return row.waiting_since.timestamp(), 0, row.id
    return float("inf"), -row.last_message_at.timestamp(), row.id


async def test_pages_hold_what_the_policy_says_in_order(desk: Desk) -> None:
    viewers, served = await people(desk), await channels(desk)
    await furnish(desk, viewers, served)
    found = 0
    async with desk.db.transaction() as session:
        for viewer in viewers:
            for view, belongs in OF_VIEW.items():
                for status in ("open", "snoozed", "closed"):
                    query = select(Dialog).where(
                        access.visible(viewer), belongs(viewer), Dialog.status == status
                    )
                    rows = list(await session.scalars(query))
                    for sort in ("waiting", "recent"):
                        wanted: dict[str, Any] = {"view": view, "status": status, "sort": sort, "words": ""}
                        expected = sorted(rows, key=lambda row: order(sort, row))
                        pages = await walk(session, viewer, channel_id=None, **wanted)
                        assert pages == [row.id for row in expected], (viewer.role, wanted)
                        found += len(pages)
                    one = await walk(session, viewer, **(wanted | {"channel_id": served[0]}))
                    assert one == [row.id for row in expected if row.channel_id == served[0]]
    assert found > 1000, "the world is too simple"


async def walk(session: Any, viewer: Viewer, **wanted: Any) -> list[UUID]:
    ids: list[UUID] = []
    cursor = None
    while True:
        rows, cursor = await inbox_view.page(session, viewer, cursor=cursor, limit=7, **wanted)
        ids += [row["id"] for row in rows]
        if cursor is None:
            return ids
        assert len(rows) == 7


async def test_counts_are_those_of_the_views(desk: Desk) -> None:
    viewers = await people(desk)
    async with desk.db.transaction() as session:
        for viewer in viewers:
            counted = await inbox_view.counts(session, viewer)
            for view in OF_VIEW:
                ids = await walk(
                    session, viewer, view=view, status="open", sort="waiting", words="", channel_id=None
                )
                assert counted[view] == len(ids), (viewer.role, view)


async def test_words_find_dialogs_by_their_customers_or_their_number(desk: Desk) -> None:
    chat = await desk.chat()
    row = await chat.write(
        "findme", sender=Sender("", "findme", name="Пелагея Щукина", username="pelageya_s")
    )
    await chat.write("somebody else")
    number = await desk.value("select number from dialogs where id = $1", row["dialog_id"])
    for words in ("щукин", "ПЕЛАГЕЯ Щук", "щу", "lageya_", f"#{number}", str(number), "findme"):
        found = (await desk.anna.get("/dialogs", params={"q": words})).json()["items"]
        assert str(row["dialog_id"]) in [item["id"] for item in found], words
        hidden = (await desk.boris.get("/dialogs", params={"q": words})).json()["items"]
        assert str(row["dialog_id"]) not in [item["id"] for item in hidden], words
    for words in ("100%", "щ_кина", "\\", "щукинщукин", "укин_"):
        found = (await desk.anna.get("/dialogs", params={"q": words})).json()["items"]
        assert str(row["dialog_id"]) not in [item["id"] for item in found], words


async def test_a_row_of_a_list_is_the_dialog_itself(desk: Desk) -> None:
    chat = await desk.chat()
    row = await chat.write("itself")
    await chat.write("itself", "Again")
    dialog = f"/dialogs/{row['dialog_id']}"
    await desk.anna.post(f"{dialog}/read", json={"inbound_count": 1})
    found = (await desk.anna.get("/dialogs?q=itself")).json()["items"]
    alone = (await desk.anna.get(dialog)).json()
    assert found == [alone]
    assert alone["unread"] == 1


@pytest.mark.parametrize("cursor", ["x", "WzEsMl0", "W251bGwsIngiXQ"])
async def test_a_foreign_cursor_is_refused(desk: Desk, cursor: str) -> None:
    assert (await desk.anna.get("/dialogs", params={"cursor": cursor})).status_code == 400
