"""The report on first answers, against numbers reckoned by hand."""

from typing import Any
from uuid import UUID

import pytest

from channels.base import Echo, Sender
from tests.api.conftest import Client
from tests.dialogs.desk import Chat, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def report(client: Client, **params: Any) -> dict[str, Any]:
    answer = await client.get("/reports/first-response", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def answered(chat: Chat, by: UUID | None, began: str, *seconds: float) -> None:
    """Closed dialogs that began then, each answered after so many seconds."""
    for wait in seconds:
        await chat.desk.db.raw.execute(
            "with c as (insert into customers (name) values ('C') returning id) insert into dialogs"
            " (customer_id, channel_id, status, created_at, first_response_at, first_response_by)"
            " select id, $1, 'closed', t, t + $3 * interval '1 s', $4"
            " from c, (select $2::text::timestamptz t)",
            chat.id,
            began,
            wait,
            by,
        )


def row(figures: dict[str, Any]) -> tuple[int, float, float, float]:
    return figures["answered"], figures["average"], figures["median"], figures["p90"]


async def test_average_median_and_p90(desk: Desk) -> None:
    chat = await desk.chat()
    anna, boris = desk.anna.agent_id, desk.boris.agent_id
    await answered(chat, anna, "2020-03-10T10:00:00Z", *range(10, 111, 10))
    await answered(chat, boris, "2020-03-10T10:00:00Z", 5, 1005)
    await answered(chat, None, "2020-03-10T10:00:00Z", 7)
    found = await report(desk.world.admin, **{"from": "2020-03-01", "to": "2020-03-31", "tz": "UTC"})
    assert [(agent["name"], *row(agent)) for agent in found["agents"]] == [
        ("Anna", 11, 60, 60, 100),  # 10, 20 … 110
        ("Boris", 2, 505, 505, 905),
    ]
    assert row(found["total"])[:2] == (13, pytest.approx(1670 / 13))
    assert found["total"]["median"] == 60
    assert found["total"]["p90"] == pytest.approx(108)  # between the 11th, 100, and the 12th, 110, of 13


async def test_a_day_is_a_day_where_the_asker_lives(desk: Desk) -> None:
    """21:00 in London is midnight in Moscow: the dialog belongs to the day after."""
    chat = await desk.chat()
    await answered(chat, desk.anna.agent_id, "2020-05-31T20:59:59Z", 1)
    await answered(chat, desk.anna.agent_id, "2020-05-31T21:00:00Z", 2)

    async def averages(day: str, **params: str) -> float | None:
        found = await report(desk.world.admin, **{"from": day, "to": day, **params})
        average: float | None = found["total"]["average"]
        return average

    assert await averages("2020-05-31", tz="Europe/Moscow") == 1
    assert await averages("2020-06-01", tz="Europe/Moscow") == 2
    assert await averages("2020-05-31", tz="UTC") == 1.5
    assert await averages("2020-06-01", tz="UTC") is None
    assert await averages("2020-06-01") == 2  # his own zone


async def test_an_empty_period(desk: Desk) -> None:
    found = await report(desk.world.admin, **{"from": "2019-01-01", "to": "2019-01-02", "tz": "UTC"})
    assert found == {
        "starts_at": "2019-01-01T00:00:00Z",
        "ends_at": "2019-01-03T00:00:00Z",
        "agents": [],
        "total": {"answered": 0, "average": None, "median": None, "p90": None},
    }


async def test_each_sees_as_far_as_his_role(desk: Desk) -> None:
    chat, world = await desk.chat(), desk.world
    lead = await world.add_agent("reportlead", role="lead", team_ids=(world.support,))
    for who in (desk.anna, desk.boris, lead):
        await answered(chat, who.agent_id, "2020-07-10T10:00:00Z", 10)

    async def seen(client: Client) -> set[str]:
        found = await report(client, **{"from": "2020-07-10", "to": "2020-07-10"})
        assert found["total"]["answered"] == len(found["agents"])
        return {agent["name"] for agent in found["agents"]}

    assert await seen(desk.anna) == {"Anna"}
    assert await seen(desk.boris) == {"Boris"}
    assert await seen(lead) == {"Anna", "Reportlead"}
    assert await seen(world.admin) == {"Anna", "Boris", "Reportlead"}


async def test_filters(desk: Desk) -> None:
    one, two = await desk.chat(), await desk.chat()
    await answered(one, desk.anna.agent_id, "2020-08-10T10:00:00Z", 10)
    await answered(two, desk.anna.agent_id, "2020-08-10T10:00:00Z", 20)
    await desk.db.raw.execute(
        "update dialogs set team_id = $1 where channel_id = $2", desk.world.sales, two.id
    )
    period = {"from": "2020-08-10", "to": "2020-08-10"}
    admin = desk.world.admin
    assert (await report(admin, **period))["total"]["average"] == 15
    assert (await report(admin, channel_id=str(one.id), **period))["total"]["average"] == 10
    assert (await report(admin, team_id=str(desk.world.sales), **period))["total"]["average"] == 20


async def test_who_answers_first_counts_once(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.write("kim")
    (dialog,) = await chat.dialogs("kim")
    await desk.answer(dialog["id"], "note", direction="note")
    assert (await chat.dialogs("kim"))[0]["first_response_by"] is None
    await desk.answer(dialog["id"])
    await desk.answer(dialog["id"], by=desk.world.admin)
    (dialog,) = await chat.dialogs("kim")
    assert dialog["first_response_by"] == desk.anna.agent_id
    found = await report(desk.anna, channel_id=str(chat.id))
    assert found["total"]["answered"] == 1
    assert found["total"]["average"] == pytest.approx(
        (dialog["first_response_at"] - dialog["created_at"]).total_seconds()
    )


async def test_what_we_began_is_no_answer(desk: Desk) -> None:
    chat = await desk.chat()
    await chat.write("lee")
    (first,) = await chat.dialogs("lee")
    await desk.anna.post(f"/dialogs/{first['id']}/close")
    await desk.db.raw.execute(
        "update dialogs set closed_at = now() - interval '1 year' where id = $1", first["id"]
    )
    identity = await desk.value("select id from identities where customer_id = $1", first["customer_id"])
    body = {
        "customer_id": str(first["customer_id"]),
        "channel_id": str(chat.id),
        "identity_id": str(identity),
    }
    started = (await desk.anna.post("/dialogs", json=body)).json()
    await desk.answer(started["id"])
    assert (await chat.dialogs("lee"))[1]["first_response_by"] is None
    assert (await report(desk.anna, channel_id=str(chat.id)))["agents"] == []


async def test_an_answer_in_the_platforms_own_interface_is_nobodys(desk: Desk) -> None:
    chat = await desk.chat()
    row = await chat.write("moe")
    sender = Sender(scope="", external_id="moe")
    await chat.hear(Echo(chat=row["chat"], external_id="e1", key="", text="Hi", recipient=sender))
    (dialog,) = await chat.dialogs("moe")
    assert dialog["first_response_at"] is not None
    await desk.answer(dialog["id"])
    assert (await report(desk.anna, channel_id=str(chat.id)))["agents"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"tz": "Mars/Base"},
        {"tz": "../../etc/passwd"},
        {"from": "2020-02-02", "to": "2020-02-01"},
        {"from": "2000-01-01"},
        {"from": "0001-01-01", "to": "0001-01-02"},
        {"to": "9999-12-31"},
        {"from": "yesterday"},
    ],
)
async def test_what_is_no_period_is_told(desk: Desk, params: dict[str, str]) -> None:
    answer = await desk.anna.get("/reports/first-response", params=params)
    assert answer.status_code in (400, 422)
