"""One id through webhook, log, database and socket; and from any of them to all others."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import cli, gather
from app.core import facts
from app.core.facts import Position
from dialogs import inbox, traces
from tests.api.conftest import World
from tests.helpers import eventually
from tests.loops.test_light import add_telegram, update

gather()
TRACE = "proxy-4711"


async def _arrive(world: World) -> dict[str, Any]:
    """A Telegram webhook with an id of the proxy's, understood; its message."""
    state = world.app.state
    channel, secret = await add_telegram(world)
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret, "X-Request-Id": TRACE}
    answer = await world.admin.post(
        f"/hooks/{channel.webhook_key}", json=update(77, "Где заказ?"), headers=headers
    )
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, TRACE)
    await inbox.drain(state.database, state.gateway, state.settings)
    row = await world.database.raw.fetchrow("select id, dialog_id, customer_id, inbound_id from messages")
    return dict(row)


@pytest.fixture
def talkative() -> Iterator[None]:
    """As with `OTKLIK_LOG_LEVEL=debug`."""
    loggers = [logging.getLogger(name) for name in ("access", "dialogs.inbound_claims")]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


async def test_a_webhook_is_found_from_every_side(
    world: World, capsys: pytest.CaptureFixture[str], talkative: None
) -> None:
    message = await _arrive(world)
    lines = [line for line in capsys.readouterr().out.splitlines() if TRACE in line]
    (request,) = (line for line in lines if "/hooks/***" in line)
    assert f"inbound_ids=[{message['inbound_id']}]" in request
    (understood,) = (line for line in lines if "inbound.understood" in line)
    assert f"inbound_id={message['inbound_id']} " in understood
    stored = await world.database.raw.fetchval("select trace from inbound")
    assert stored == TRACE
    thread = await world.admin.get(f"/customers/{message['customer_id']}/messages")
    (shown,) = thread.json()["items"]
    assert shown["meta"]["trace"] == TRACE
    frame = await eventually(lambda: _frame(world))
    assert TRACE in frame
    for word in (str(message["id"]), str(message["inbound_id"]), "77", TRACE):
        way = await traces.find(world.database.raw, word)
        assert [event["trace"] for event in way["events"]] == [TRACE], word
        assert [found["id"] for found in way["messages"]] == [message["id"]], word
        assert "message.created" in {fact["type"] for fact in way["facts"]}


async def _frame(world: World) -> str:
    """The frame of the message as it goes to the consoles."""
    rows = [
        row
        for row in await facts.read(world.database.raw, Position(0, 0), limit=500)
        if row.type == "message.created"
    ]
    frames = await world.app.state.feed.frames(rows)
    return frames[0].fact.decode() if frames else ""


async def test_the_next_request_names_nothing_of_the_one_before(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await _arrive(world)
    capsys.readouterr()
    await world.admin.get("/me")
    assert "inbound_ids" not in capsys.readouterr().out


async def test_what_was_pulled_has_no_request_but_is_found_by_its_number(world: World) -> None:
    from channels import inbound
    from channels.base import RawEvent

    async with world.database.transaction() as session:
        (number,) = await inbound.store(session, world.chat, [RawEvent("pulled-1", b"{}")])
    (event,) = (await traces.find(world.database.raw, "pulled-1"))["events"]
    assert (event["id"], event["trace"]) == (number, None)
    assert await traces.find(world.database.raw, "nothing") == {"events": [], "messages": [], "facts": []}


def test_the_command_says_when_there_is_nothing(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("app.core.logs.setup", lambda **_: None)  # its stream ends with this command
    done = CliRunner().invoke(cli, ["inbound", "trace", "no-such-id"])
    assert "no message" in str(done.exception)
