"""`/metrics` tells what happened, to who may know, whatever the database does."""

import asyncio
import re
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from app.core import metrics
from app.core.config import Settings
from app.core.db import Database
from app.queues import MOST
from tests.api.conftest import ADDRESS, World, make_client, make_settings, running
from tests.helpers import eventually
from tests.loops.conftest import working


def local(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    """Somebody on this machine."""
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Figures:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def read(app: FastAPI) -> Figures:
    app.state.look._until = 0.0
    async with local(app) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return parse(answer.text)


def value(figures: Figures, name: str, **labels: str) -> float:
    return figures.get((f"otklik_{name}", frozenset(labels.items())), 0.0)


async def _post(world: World, key: str) -> httpx.Response:
    program = await world.program(world.admin.agent_id, "inbound")
    body = {
        "event_id": key,
        "sender": {"external_id": "c1", "name": "Ivan"},
        "text": "my secret words",
    }
    return await program.post(f"/channels/{world.chat}/inbound", json=body)


async def test_what_happened_is_counted_where_it_happened(world: World) -> None:
    before = await read(world.app)
    key = uuid4().hex
    for _ in range(2):
        assert (await _post(world, key)).status_code == 202
    await world.admin.get(f"/dialogs/{uuid4()}")
    await world.admin.get("/no/such/page")
    after = await read(world.app)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert (grown("inbound_stored_total"), grown("inbound_duplicates_total")) == (1, 1)
    route = "/api/v1/channels/{channel_id}/inbound"
    assert grown("http_requests_total", route=route, method="POST", status="202") == 2
    assert grown("http_request_seconds_count", route=route) == 2
    lost = "/api/v1/dialogs/{dialog_id}"
    assert grown("http_requests_total", route=lost, method="GET", status="404") == 1
    assert grown("http_requests_total", route="other", method="GET", status="404") == 1
    assert grown("transaction_seconds_count") > 2
    assert value(after, "database_up") == 1
    assert value(after, "database_size_bytes") > 1_000_000
    assert value(after, "database_pool_size", pool="requests") == 4
    assert value(after, "channel_active", channel=str(world.chat), kind="api") == 1


async def test_queues_are_shown_with_their_depth_and_age(world: World, app: FastAPI) -> None:
    sql = """insert into inbound (channel_id, key, lane, payload, state, received_at)
             select $1, n::text, '', '', $2, now() - make_interval(secs => $3) from generate_series(1, 3) n"""
    await world.database.raw.execute(sql, world.chat, "quarantined", 100.0)
    await world.database.raw.execute(sql.replace("n::text", "'n' || n"), world.chat, "new", 500.0)
    found = await read(app)
    assert value(found, "queue_depth", queue="inbound_quarantined") == 3
    assert value(found, "queue_age_seconds", queue="inbound_quarantined") >= 100
    assert value(found, "queue_age_seconds", queue="inbound_new") >= 500 or (
        value(found, "queue_depth", queue="inbound_new") == 0  # the loops were quicker
    )


async def test_an_open_writing_transaction_shows_as_the_horizon_of_the_feed(
    app: FastAPI, database_url: str
) -> None:
    other = Database(database_url)
    await other.open()
    try:
        async with other.raw.acquire() as connection, connection.transaction():
            await connection.execute("select pg_current_xact_id()")
            await connection.execute("select pg_sleep(0.05)")
            found = await read(app)
            assert value(found, "feed_horizon_age_seconds") >= 0.05
            assert value(found, "database_transaction_age_seconds") >= 0.05
    finally:
        await other.close()


async def test_counts_end_somewhere(app: FastAPI, world: World) -> None:
    await world.database.raw.execute(
        "insert into inbound (channel_id, key, lane, payload, state)"
        " select $1, n::text, '', '', 'quarantined' from generate_series(1, $2::int) n",
        world.chat,
        MOST + 5,
    )
    assert value(await read(app), "queue_depth", queue="inbound_quarantined") == MOST


# --- who may read it ------------------------------------------------------------------------


async def test_strangers_read_nothing(app: FastAPI) -> None:
    async with make_client(app) as far:
        assert (await far.get(f"{ADDRESS}/metrics")).status_code == 403
    async with local(app) as near:
        assert (await near.get("/metrics")).status_code == 200


async def test_with_a_token_only_its_bearer_reads(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path, metrics_token="let-me-see")
    async with running(settings) as app:
        for given, status in (("", 401), ("Bearer wrong", 401), ("Bearer let-me-see", 200)):
            async with local(app, Authorization=given) as near:
                assert (await near.get("/metrics")).status_code == status
        async with make_client(app, Authorization="Bearer let-me-see") as far:
            assert (await far.get(f"{ADDRESS}/metrics")).status_code == 200


async def test_nothing_of_customers_and_no_secret_is_in_it(world: World) -> None:
    await _post(world, "event-of-ivan")
    async with make_client(world.app) as far:
        await far.get("/hooks/a-secret-key")
        await far.request("PURGE-ivan", "/me")
    async with local(world.app) as client:
        text = (await client.get("/metrics")).text
    assert "/hooks/{key}" in text
    for word in ("Ivan", "ivan", "secret", "desk.test"):
        assert word not in text


# --- when the database is away --------------------------------------------------------------


async def test_without_a_database_the_rest_is_told(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def acquire(self) -> None:
            raise ConnectionRefusedError

        def get_size(self) -> int:
            return 0

        get_idle_size = get_size

    monkeypatch.setattr(app.state.database, "_raw", (raw := app.state.database.raw) and Gone())
    found = await read(app)
    assert value(found, "database_up") == 0
    assert value(found, "database_pool_size", pool="loops") == 4
    assert not [name for name, _ in found if name == "otklik_queue_depth"], "old figures are no figures"
    monkeypatch.setattr(app.state.database, "_raw", raw)
    assert value(await read(app), "database_up") == 1


async def test_a_database_that_hangs_holds_nobody_up(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = asyncio.Event()

    async def hang(_database: Database) -> list[metrics.Family]:
        await looks.wait()
        return []

    monkeypatch.setattr("app.web.metrics._PATIENCE", 0.05)
    monkeypatch.setattr(app.state.look, "_look", hang)
    assert value(await read(app), "database_up") == 0
    looks.set()


# --- the worker -----------------------------------------------------------------------------


async def test_the_worker_shows_its_own_figures(db: Database, settings: Settings) -> None:
    from app import figures

    open_to = settings.model_copy(update={"worker_metrics_port": 0})
    async with working(db, settings), figures.door(db, open_to) as port, httpx.AsyncClient() as client:
        await eventually(lambda: "look" in metrics.text().decode())
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert (answer.status_code, value(parse(answer.text), "loop_turns_total", loop="look") > 0) == (
            200,
            True,
        )
        assert (await client.get(f"http://127.0.0.1:{port}/other")).status_code == 404
        assert re.search(r"otklik_database_pool_size\{pool=\"loops\"\} \d", answer.text)
    tokened = open_to.model_copy(update={"metrics_token": "t"})
    async with figures.door(db, tokened) as port, httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 403


async def test_a_port_that_is_taken_stops_no_worker(db: Database, settings: Settings) -> None:
    from app import figures

    async with figures.door(db, settings.model_copy(update={"worker_metrics_port": 0})) as port:
        taken = settings.model_copy(update={"worker_metrics_port": port})
        async with figures.door(db, taken) as none:
            assert none is None
