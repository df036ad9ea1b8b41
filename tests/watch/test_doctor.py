"""`otklik doctor` finds what is made slow or broken here, and says what, where, why and what to do."""

import asyncio
import json
import string
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from app import doctor
from app.cli import cli, gather
from app.core.db import Database
from app.diagnosis import look, machine, server, work
from app.diagnosis.finding import Finding, language
from app.diagnosis.words import WORDS
from tests.api.conftest import World, make_settings
from tests.helpers import eventually

gather()


async def found(url: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in await look.at_database(url)}


async def held(url: str) -> dict[int, Finding]:
    """By the process that holds: those of other databases of the server are told as well."""
    findings = await look.at_database(url)
    return {finding.values["pid"]: finding for finding in findings if finding.code == "feed_held"}


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Another program on the same database."""
    connection = await asyncpg.connect(database_url, server_settings={"application_name": "report tool"})
    yield connection
    await connection.close()


async def test_of_a_fresh_database_nothing_is_told(db: Database, database_url: str) -> None:
    server_wide = {"feed_held", "transaction_old", "lock_wait", "prepared", "connections", "server_setting"}
    assert set(await found(database_url)) - server_wide == set()


async def test_an_open_writing_transaction_is_named_with_its_program(
    db: Database, database_url: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HELD", 0.05)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("create table held_back (id int)")
    await other.execute("select pg_sleep(0.1)")
    pid = await other.fetchval("select pg_backend_pid()")
    finding = (await held(database_url))[pid]
    assert finding.level == "broken"
    assert f"pid {pid} (report tool" in finding.where
    told = finding.told("en")
    assert "pg_backend_pid" in told["what"]
    assert "pg_terminate_backend" in told["do"]
    await transaction.rollback()
    assert pid not in await held(database_url)


async def test_who_waits_for_a_lock_is_named_with_its_holder(
    db: Database, database_url: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOCKED", 0.05)
    holder = await other.fetchval("select pg_backend_pid()")
    async with other.transaction():
        await other.execute("lock table teams in access exclusive mode")
        waiting = asyncio.create_task(db.raw.fetch("select * from teams"))

        async def told() -> bool:
            findings = await look.at_database(database_url)
            return any(one.code == "lock_wait" and one.values["blocker"] == holder for one in findings)

        await eventually(told)
    await waiting


async def test_an_old_event_in_the_queue_names_its_loop(world: World, database_url: str) -> None:
    await world.database.raw.execute(
        "insert into inbound (channel_id, key, lane, payload, received_at, next_attempt_at)"
        " values ($1, 'old', '', '', now() - interval '10 min', now() + interval '1 day')",
        world.chat,
    )
    finding = (await found(database_url))["queue_late"]
    assert (finding.level, finding.where, finding.values["loop"]) == ("broken", "inbound_new", "inbox")
    assert finding.values["age"] >= 600


async def test_dead_workers_failing_loops_and_full_pools_are_told(db: Database, database_url: str) -> None:
    await db.raw.execute(
        """insert into heartbeats (name, seen_at, detail) values
           ('gone', now() - interval '5 min', '{}'),
           ('ill', now(), '{"failing": ["media-0"], "pools": {"loops": [4, 4]}}')"""
    )
    findings = await found(database_url)
    assert findings["worker_dead"].where == "gone"
    assert findings["loops_failing"].values["loops"] == "media-0"
    assert (findings["pool_full"].where, findings["pool_full"].values) == ("ill (loops)", {"size": 4})


async def test_channels_that_are_refused_paused_or_silent_are_told(world: World, database_url: str) -> None:
    run = world.database.raw.execute
    await run("update channels set state = 'stopped', error = 'token revoked'")
    assert "token revoked" in (await found(database_url))["channel_stopped"].told("ru")["what"]
    await run("update channels set state = 'paused'")
    assert (await found(database_url))["channel_paused"].level == "note"
    await run("update channels set state = 'active', seen_at = now() - interval '1 hour'")
    await run(
        "insert into channel_cursors (channel_id, holder, held_until)"
        " values ($1, 'w1', now() - interval '1 s')",
        world.chat,
    )
    assert "channel_not_pulled" in await found(database_url)
    await run("update channel_cursors set held_until = now() + interval '1 min'")
    assert (await found(database_url))["channel_silent"].values["holder"] == "w1"


async def test_dead_rows_and_rows_without_a_month_are_told(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DEAD_ROWS", 10)
    await db.raw.execute("create table worn (id int) with (autovacuum_enabled = off)")
    await db.raw.execute("create table parts (id int) partition by range (id)")
    await db.raw.execute("create table parts_rest partition of parts default")
    assert "default_partition" not in await found(database_url)
    await db.raw.execute("insert into parts values (1)")
    await db.raw.execute("insert into worn select generate_series(1, 100)")
    await db.raw.execute("delete from worn")
    await db.raw.execute("select pg_stat_force_next_flush()")
    findings = await found(database_url)
    assert findings["default_partition"].where == "parts_rest"
    assert findings["dead_rows"].where == "worn"


async def test_what_may_not_be_looked_at_does_not_hide_the_rest(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(_connection: Any) -> list[Finding]:
        raise asyncpg.InsufficientPrivilegeError("pg_stat_activity")

    monkeypatch.setattr(look, "_LOOKS", (denied, work.workers))
    await db.raw.execute("insert into heartbeats (name, seen_at) values ('gone', now() - interval '5 min')")
    findings = await found(database_url)
    assert set(findings) == {"not_looked", "worker_dead"}


def test_a_full_or_slow_disk_and_too_large_a_pool_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("", tmp_path, pool_size=64)
    monkeypatch.setattr(machine, "LOW_SPACE", 1 << 62)
    monkeypatch.setattr(machine, "SLOW_MS", 0.0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    codes = {finding.code: finding for finding in look.at_machine(settings)}
    assert set(codes) == {"disk_low", "disk_slow", "pool_and_cores"}
    assert codes["disk_low"].where == str(tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing of the trial is left"
    monkeypatch.setattr("app.core.storage.LEAST_FREE", 1 << 62)
    assert machine.space(settings)[0].level == "broken"


async def test_a_clock_that_is_off_is_told(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.time, "time", lambda: 1000.0)
    assert (await found(database_url))["clock"].values["seconds"] > 1e6


# --- the command ----------------------------------------------------------------------------


def _doctor(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path, *options: str, lang: str = "C") -> Any:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("OTKLIK_DATA_DIR", str(folder))
    monkeypatch.setenv("LC_ALL", lang)
    return CliRunner().invoke(cli, ["doctor", *options])


def test_the_exit_code_says_the_worst_and_json_says_all(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    done = _doctor(monkeypatch, database_url, tmp_path, "--json")
    body = json.loads(done.stdout)
    assert done.exit_code == 2  # nobody receives and sends
    assert (body["level"], body["checks"]["loops"]["ok"]) == ("broken", False)
    assert body["checks"]["database"]["ok"] is True

    async def beat() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "insert into heartbeats (name, seen_at)"
            " values ('here', now()), ('gone', now() - interval '9 min')"
        )
        await connection.close()

    asyncio.run(beat())
    for part in ("console", "widget"):
        monkeypatch.setitem(doctor._CHECKS, part, lambda _settings: "built")
    done = _doctor(monkeypatch, database_url, tmp_path, "--json")
    body = json.loads(done.stdout)
    assert (done.exit_code, body["level"]) == (1, "warning"), body
    assert {"what", "where", "why", "do", "level", "code"} == set(body["findings"][0])


def test_it_speaks_the_language_of_the_caller(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "LOW_SPACE", 1 << 62)
    assert "Освободите место" in _doctor(monkeypatch, database_url, tmp_path, lang="ru_RU.UTF-8").stdout
    assert "Make room" in _doctor(monkeypatch, database_url, tmp_path, lang="en_US.UTF-8").stdout
    assert [language({"LANG": name}) for name in ("ru_RU.UTF-8", "de_DE", "")] == ["ru", "en", "en"]


def test_all_texts_are_there_in_both_languages_with_the_same_values() -> None:
    for code, texts in WORDS.items():
        assert set(texts) == {"en", "ru"}, code
        names = [
            {name for text in texts[tongue] for _, name, _, _ in string.Formatter().parse(text) if name}
            for tongue in ("en", "ru")
        ]
        assert {name[:-3] if name.endswith(("_en", "_ru")) else name for name in names[0]} == {
            name[:-3] if name.endswith(("_en", "_ru")) else name for name in names[1]
        }, code
