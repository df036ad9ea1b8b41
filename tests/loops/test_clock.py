"""A clock that is wrong, or jumps, changes nothing: what is due is judged by the database's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine

from app import housekeeping
from app.core import clock
from tests.api.conftest import World
from tests.helpers import eventually
from tests.live.test_live import dialogs, write
from tests.loops.conftest import working


@pytest.fixture(params=[-2, 2], ids=["back", "ahead"])
def jump(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    """This machine's clock jumps by two years while the program runs."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=730 * request.param), tick=True):
        yield


async def test_an_answer_leaves_in_time_and_nothing_is_forgotten(world: World, jump: None) -> None:
    await write(world, "clara", "hello")
    (dialog,) = await dialogs(world.anna)
    facts = await world.database.raw.fetchval("select count(*) from facts")
    async with working(world.database, world.app.state.settings):
        body = {"client_key": uuid4().hex, "text": "At once."}
        answer = await world.anna.post(f"/dialogs/{dialog['id']}/messages", json=body)
        assert answer.status_code == 201
        sent = "select status not in ('queued', 'sending') from messages where text = 'At once.'"
        await eventually(lambda: world.database.raw.fetchval(sent))
    await housekeeping.turn(world.database, world.app.state.files, world.app.state.settings)
    assert await world.database.raw.fetchval("select count(*) from facts") >= facts
    assert (await world.anna.get("/me")).status_code == 200


async def test_the_clock_follows_the_database(world: World, jump: None) -> None:
    await clock.read(world.database.raw)
    told: datetime = await world.database.raw.fetchval("select clock_timestamp()")
    assert abs(clock.now() - told) < timedelta(minutes=1)
