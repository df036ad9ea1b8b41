"""How channels are: said to administrators over HTTP, and marked by the watchdog when they fall silent."""

from typing import Any

import pytest

from channels import health as state
from channels import watchdog
from channels.base import RetryLater
from tests.dialogs.desk import Chat, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def health(desk: Desk, chat: Chat) -> dict[str, Any]:
    answer = await desk.world.admin.get("/channel-health")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(one for one in answer.json() if one["channel_id"] == str(chat.id))
    return found


async def test_what_waits_is_counted_with_its_age(desk: Desk) -> None:
    chat = await desk.chat()
    asked = await chat.write("anna")
    assert (await health(desk, chat))["condition"] == "ok"
    await chat.store()
    await desk.db.raw.execute(
        "update inbound set received_at = now() - interval '40 s' where channel_id = $1 and state = 'new'",
        chat.id,
    )
    for text in ("One", "Two"):
        message = await desk.answer(asked["dialog_id"], text)
        await desk.db.raw.execute(
            "update messages set send_after = now() - interval '90 s' where id = $1::text::uuid",
            message["id"],
        )
    now = await health(desk, chat)
    assert (now["waiting_in"], now["waiting_out"]) == (1, 2)
    assert 40 <= now["waiting_in_seconds"] < 100
    assert 90 <= now["waiting_out_seconds"] < 150


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ("state = 'paused'", "paused"),
        ("state = 'stopped', error = 'revoked'", "stopped"),
        ("error = 'connect', error_code = 'connect'", "failing"),
        ("frozen_until = now() + interval '1 min'", "frozen"),
    ],
)
async def test_its_condition_is_named(desk: Desk, change: str, condition: str) -> None:
    chat = await desk.chat()
    await desk.db.raw.execute(f"update channels set {change} where id = $1", chat.id)
    assert (await health(desk, chat))["condition"] == condition


async def pulled(desk: Desk, *, held: str, seen: str) -> Chat:
    chat = await desk.chat()
    await desk.db.raw.execute(
        "insert into channel_cursors (channel_id, holder, held_until)"
        " values ($1, 'w', now() + $2::text::interval)",
        chat.id,
        held,
    )
    await desk.db.raw.execute(
        "update channels set seen_at = now() - $2::text::interval where id = $1", chat.id, seen
    )
    return chat


async def test_a_channel_that_nobody_pulls_or_that_is_silent_is_said_to_be(desk: Desk) -> None:
    assert (await health(desk, await pulled(desk, held="-5 s", seen="5 s")))["condition"] == "unpulled"
    assert (await health(desk, await pulled(desk, held="5 s", seen="4 min")))["condition"] == "silent"
    assert (await health(desk, await pulled(desk, held="5 s", seen="2 min")))["condition"] == "ok"


async def test_the_watchdog_marks_the_silent_once_and_a_contact_clears_it(desk: Desk) -> None:
    silent, well = await pulled(desk, held="5 s", seen="4 min"), await pulled(desk, held="5 s", seen="1 min")
    for _ in range(2):
        async with desk.db.transaction() as session:
            await watchdog.turn(session)
    told = [fact.ids["channel_id"] for fact in await desk.facts() if fact.type == "channel.changed"]
    assert (told.count(silent.id), told.count(well.id)) == (1, 0), "told once, of this one alone"
    assert await desk.value("select error_code from channels where id = $1", silent.id) == "silent"
    assert await desk.value("select error_code from channels where id = $1", well.id) is None
    async with desk.db.transaction() as session:
        await state.contact(session, await state.get(session, silent.id))
    assert await desk.value("select error_code from channels where id = $1", silent.id) is None


async def test_a_known_error_is_not_hidden_by_the_watchdog(desk: Desk) -> None:
    chat = await pulled(desk, held="5 s", seen="1 hour")
    await state.note_failure(desk.db, chat.id, RetryLater("no route", code="connect"))
    async with desk.db.transaction() as session:
        await watchdog.turn(session)
    assert await desk.value("select error_code from channels where id = $1", chat.id) == "connect"


async def test_only_administrators_are_told(desk: Desk) -> None:
    assert (await desk.anna.get("/channel-health")).status_code == 403
