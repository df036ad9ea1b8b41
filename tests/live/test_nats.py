"""With a real NATS server between the processes, and with one that is killed: all goes on either way."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.core import bell_nats
from app.core.bell_notify import Notify
from app.core.config import Settings, SettingsError, load
from app.core.db import Database
from tests.api.conftest import World, running, serve
from tests.helpers import eventually
from tests.live.console import Console, cursor_of, quiet
from tests.live.test_live import dialogs, write
from tests.peers.nats import PASSWORD, NatsServer


@pytest.fixture
def nats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NatsServer]:
    monkeypatch.setattr(bell_nats, "_PAUSE_SECONDS", 0.1)
    server = NatsServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def settings(settings: Settings, nats: NatsServer) -> Settings:
    return settings.model_copy(update={"nats_url": nats.url})


@pytest.fixture
async def addresses(settings: Settings, world: World) -> AsyncIterator[list[str]]:
    """Two processes, as far as one test can be two processes."""
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(running(settings))
        yield [await stack.enter_async_context(serve(app)) for app in (world.app, other)]


async def connected(world: World, state: bool) -> None:
    await eventually(lambda: world.database.bell.carrier.connected is state)


async def type_at(console: Console, dialog_id: str) -> None:
    await console.say(lane="typing", dialog_id=dialog_id, note=False)


async def test_the_lane_crosses_processes_by_nats_and_comes_back_after_a_kill(
    world: World, nats: NatsServer, addresses: list[str]
) -> None:
    """It begins without the server: nobody waits for it."""
    await write(world, "clara", "hello")
    (dialog,) = await dialogs(world.anna)
    anna = await Console(world.anna, addresses[0], await cursor_of(world.anna)).connect()
    lead = await Console(world.lead, addresses[1], await cursor_of(world.lead)).connect()
    assert (await world.anna.get("/readyz")).json()["nats"] is False
    assert (await world.anna.get("/readyz")).status_code == 200
    for _ in range(2):
        nats.start()
        await eventually(lambda: heard(lead, world.anna.id))
        lead.lane.clear()

        async def told() -> bool:
            await type_at(anna, dialog["id"])
            return any(said["lane"] == "typing" for said in lead.lane)

        await eventually(told, every=0.1)
        assert (await world.anna.get("/readyz")).json()["nats"] is True
        nats.kill()
        await connected(world, False)
        await write(world, "clara", "while it is away")
        await quiet(world.anna, anna, lead)
        assert anna.state["message"] == lead.state["message"]
        await anna.say(lane="presence", state="away")
        lead.lane.clear()
    for console in (anna, lead):
        await console.leave()


def heard(console: Console, agent_id: str) -> bool:
    """Whether the console knows that the agent of the other process is there."""
    shown = [said for said in console.lane if said["lane"] == "presence"]
    return bool(shown) and agent_id in shown[-1]["agents"]


async def test_only_empty_rings_and_the_lane_go_over_nats(
    world: World, nats: NatsServer, addresses: list[str]
) -> None:
    from nats.aio.client import Client

    nats.start()
    await connected(world, True)
    taken: list[tuple[str, bytes]] = []

    async def take(message: Any) -> None:
        taken.append((message.subject, message.data))

    spy = Client()
    await spy.connect(nats.url)
    await spy.subscribe(">", cb=take)
    await spy.flush()
    console = await Console(world.anna, addresses[0], await cursor_of(world.anna)).connect()
    await eventually(lambda: console.lane)
    await write(world, "clara", "a secret of the customer")
    await eventually(lambda: {subject.rpartition(".")[2] for subject, _ in taken} == {"facts", "lane"})
    await console.leave()
    await spy.close()
    epoch = str(world.app.state.feed.epoch)
    for subject, data in taken:
        assert subject.startswith(f"otklik.{epoch}.")
        if subject.endswith(".facts"):
            assert data == b""
        else:
            assert json.loads(data).keys() <= {"from", "here", "gone", "ask"}


async def test_no_connection_listens_in_the_database(world: World, nats: NatsServer) -> None:
    nats.start()
    await connected(world, True)
    await write(world, "clara", "hello")
    rows = await world.database.raw.fetch(
        "select query from pg_stat_activity where datname = current_database()"
    )
    assert not [row["query"] for row in rows if row["query"].startswith(("LISTEN", "NOTIFY"))]


async def test_a_wrong_password_stops_nothing_and_is_not_told(
    database_url: str, nats: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    nats.start()
    database = Database(database_url, nats_url=nats.url.replace(PASSWORD, "wrong-and-secret"))
    try:
        database.bell.ring()
        said = ""

        def told() -> bool:
            nonlocal said
            said += capsys.readouterr().out
            return "nats.away" in said

        await eventually(told)
    finally:
        await database.close()
        structlog.reset_defaults()
    assert f"127.0.0.1:{nats.port}" in said
    assert "wrong-and-secret" not in said


def test_a_wrong_address_is_refused_at_the_start_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTKLIK_NATS_URL", "http://desk:secret-word@bell:4222")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "OTKLIK_NATS_URL" in str(refused.value)
    assert "secret-word" not in str(refused.value)


async def test_without_the_setting_the_database_carries_the_bell(database_url: str) -> None:
    assert isinstance(Database(database_url).bell.carrier, Notify)
