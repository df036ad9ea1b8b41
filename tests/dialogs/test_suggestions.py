"""Who may be the same person: why it is said, who hears of it, and that it can be denied."""

from typing import Any
from uuid import UUID

import pytest

from dialogs import suggestions
from tests.api.conftest import Client
from tests.dialogs.desk import Desk
from tests.dialogs.people import People

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def suggested(client: Client, id: UUID) -> list[Any]:
    answer = await client.get(f"/customers/{id}/suggestions")
    assert answer.status_code == 200, answer.text
    return [
        (one["customer"]["id"], one["confidence"], [reason["kind"] for reason in one["reasons"]])
        for one in answer.json()
    ]


async def know(people: People, who: str, /, **fields: str) -> None:
    answer = await people.desk.anna.patch(f"/customers/{people.ids[who]}", json=fields)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("fields", "others", "expected"),
    [
        ({"phone": "+7 916 123-45-67"}, {"phone": "8 (916) 123-45-67"}, ("high", ["phone"])),
        ({"phone": "+79161234568"}, {"phone": "9161234568"}, ("high", ["phone"])),
        ({"phone": "+79161234569"}, {"phone": "+380161234569"}, None),
        ({"email": "Anna@Example.org"}, {"email": "anna@example.org"}, ("high", ["email"])),
        ({"name": "Rosa Lux"}, {"name": "rosa lux"}, ("low", ["name"])),
        ({"name": "Rosa"}, {"name": "Rosa"}, None),
    ],
)
async def test_the_reasons(
    desk: Desk, fields: dict[str, str], others: dict[str, str], expected: tuple[str, list[str]] | None
) -> None:
    people = await People.at(desk, "first", "second")
    await desk.db.raw.execute("update customers set name = '', phone = '', email = ''")
    await know(people, "first", **fields)
    await know(people, "second", **others)
    second = str(people.ids["second"])
    assert await suggested(desk.anna, people.ids["first"]) == ([(second, *expected)] if expected else [])


async def test_a_name_and_a_user_name_together_say_more_and_what_many_have_says_nothing(desk: Desk) -> None:
    people = await People.at(desk, "here", "there", *(f"third {number}" for number in range(25)))
    for name in ("here", "there"):
        await know(people, name, name="Vera Lind")
        await desk.db.raw.execute("update identities set username = 'vera' where external_id = $1", name)
    (one,) = await suggested(desk.anna, people.ids["here"])
    assert one == (str(people.ids["there"]), "medium", ["username", "name"])
    for name in people.ids:
        await know(people, name, name="Guest Guest")
    assert await suggested(desk.anna, people.ids["here"]) == [(one[0], "low", ["username"])]


async def test_who_is_not_the_same_is_not_suggested_again_to_anybody(desk: Desk) -> None:
    people = await People.at(desk, "me", "not me")
    for name in people.ids:
        await know(people, name, phone="+79035554433")
    mine, other = people.ids["me"], people.ids["not me"]
    assert len(await suggested(desk.anna, mine)) == 1
    answer = await desk.anna.post(f"/customers/{mine}/suggestions/dismiss", json={"customer_id": str(other)})
    assert answer.status_code == 204
    assert await suggested(desk.anna, mine) == await suggested(desk.world.admin, other) == []


async def test_nobody_hears_of_customers_whom_he_does_not_see(desk: Desk) -> None:
    people = await People.at(desk, "mine")
    his = await (await desk.chat(team=desk.world.sales)).write("his")
    await desk.db.raw.execute("delete from channel_teams where team_id = $1", desk.world.third)  # type: ignore[attr-defined]
    for id in (people.ids["mine"], his["customer_id"]):
        await desk.db.raw.execute("update customers set phone = '+79260001122' where id = $1", id)
    assert await suggested(desk.anna, people.ids["mine"]) == []
    assert (await desk.anna.get(f"/customers/{his['customer_id']}/suggestions")).status_code == 404
    body = {"customer_id": str(his["customer_id"])}
    answer = await desk.anna.post(f"/customers/{people.ids['mine']}/suggestions/dismiss", json=body)
    assert answer.status_code == 404
    assert len(await suggested(desk.world.admin, people.ids["mine"])) == 1


async def test_a_merged_one_is_found_by_what_was_his(desk: Desk) -> None:
    people = await People.at(desk, "root", "leaf", "third one")
    for name, phone in (("root", "+79031110000"), ("leaf", "+79032220000"), ("third one", "+79032220000")):
        await know(people, name, phone=phone)
    await people.merge("root", "leaf")
    third, root = people.ids["third one"], people.ids["root"]
    assert await suggested(desk.anna, third) == [(str(root), "high", ["phone"])]
    assert await suggested(desk.anna, root) == [(str(third), "high", ["phone"])]


async def test_the_indexes_answer_and_no_table_is_gone_through(desk: Desk) -> None:
    async with desk.db.raw.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into customers (name, phone, email) select 'Name ' || n, '+7916' || 1000000 + n, "
            "'m' || n || '@example.org' from generate_series(1, 30000) n"
        )
        await connection.execute("analyze customers")
        id = await connection.fetchval("select id from customers where name = 'Name 77'")
        sql = suggestions._ALIKE.text.replace(":id", f"'{id}'").replace(":most", "21")
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {sql}"))
        await connection.execute("rollback; begin")
    assert "Seq Scan on customers" not in plan, plan
