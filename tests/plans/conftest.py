"""A desk with a year behind it, and the plans of what the program really sends to its database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from app.agents import people, tokens
from app.core.db import Database
from app.demo.scale import desk as large
from app.demo.scale import load
from app.demo.scale.plan import Size
from tests.api.conftest import Client, make_client, make_settings
from tests.conftest import _TEMPLATE, _database
from tests.dialogs.conftest import fake_kinds, quiet  # noqa: F401 - fixtures
from tests.dialogs.desk import Chat, Desk, open_desk

GROWING = (
    "messages",
    "message_keys",
    "dialogs",
    "customers",
    "identities",
    "inbound",
    "facts",
    "attachments",
)
ALL = 1000
"""A sort of more rows than this is one of everything."""

_WHALE = "select customer_id from messages group by 1 order by count(*) desc limit 1"
_EMPTY = "select relname from pg_class where relispartition and relkind = 'r' and pg_relation_size(oid) = 0"
_EXPLAIN = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}


@dataclass
class Plans:
    """What the server told of each statement while `watching`."""

    empty: frozenset[str]
    """Months with nothing in them, such as those to come: reading all of that is no harm."""
    told: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        hear = asyncpg.connection.Connection._process_log_message

        def listen(connection: Any, fields: dict[str, str], last_query: str | None) -> None:
            _, found, plan = fields["M"].partition("plan:\n")
            if found:
                self.told.append(orjson.loads(plan))
            hear(connection, fields, last_query)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.connection.Connection, "_process_log_message", listen)
            yield

    def complaints(self) -> list[str]:
        return [
            f"{told}\n{plan['Query Text']}" for plan in self.told for told in _bad(plan["Plan"], self.empty)
        ]

    def tables(self) -> set[str]:
        return {name for plan in self.told for name in _tables(plan["Plan"])}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _grown(relation: str) -> bool:
    """Also a part of a table that is cut by months, as messages_2026_11."""
    return any(relation == name or relation.startswith(f"{name}_2") for name in GROWING)


def _tables(plan: dict[str, Any]) -> set[str]:
    return {node["Relation Name"] for node in _nodes(plan) if "Relation Name" in node}


def _bad(plan: dict[str, Any], empty: frozenset[str]) -> Iterator[str]:
    if not any(_grown(name) for name in _tables(plan)):
        return
    for node in _nodes(plan):
        read = node["Relation Name"] if node["Node Type"] == "Seq Scan" else ""
        if _grown(read) and read not in empty:
            yield f"All of {read} is read"
        if "Sort" in node["Node Type"] and node["Plans"][0]["Plan Rows"] > ALL:
            yield f"{node['Plans'][0]['Plan Rows']} rows are sorted"


@dataclass
class Year:
    """The desk with a year of work; `agent`, `lead` and `admin` are signed in, `chat` is a channel.

    `whale`: the customer who wrote most; `empty`: tables without rows.
    """

    desk: Desk
    chat: Chat
    agent: Client
    lead: Client
    admin: Client
    whale: str
    empty: frozenset[str]


@pytest.fixture(scope="module")
def module_database_url(database_server: str) -> Iterator[str]:
    yield from _database(database_server, template=_TEMPLATE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grown_url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a year in it, whose connections tell their plans."""
    settings = make_settings(module_database_url, tmp_path_factory.mktemp("grown"))
    database = Database(module_database_url, pool_size=2)
    await database.open()
    try:
        order = load.Order(Size(customers=4000, messages=30_000), seed=1, sure=True)
        await load.fill(database, settings, order, advance=lambda what, more: None)
        await _grow(database)
        await _explain_everything(database)
    finally:
        await database.close()
    return module_database_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def year(
    grown_url: str,
    fake_kinds: None,  # noqa: F811
    quiet: None,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Year]:
    async with open_desk(grown_url, tmp_path_factory.mktemp("plans")) as desk:
        agent, lead, admin = [await _client(desk, role) for role in ("agent", "lead", "admin")]
        whale = await desk.value(_WHALE)
        empty = frozenset(row["relname"] for row in await desk.rows(_EMPTY))
        yield Year(desk, await desk.chat(), agent, lead, admin, str(whale), empty)
        for client in (agent, lead, admin):
            await client.aclose()


async def _client(desk: Desk, role: str) -> Client:
    async with desk.db.transaction() as session:
        agent = await people.find_by_email(session, large.address(role))
        assert agent is not None
        _, token = await tokens.issue(session, agent_id=agent.id, name="plans", scopes=["read", "write"])
    return make_client(desk.world.app, authorization=f"Bearer {token}")


async def _grow(database: Database) -> None:
    """What retention keeps short is long enough here for its plan to matter."""
    raw = database.raw
    channel = await raw.fetchval("select id from channels limit 1")
    await raw.execute(
        "insert into inbound (channel_id, key, lane, payload, state) "
        "select $1, 'old' || n, n % 500, 'x', 'done' from generate_series(1, 20000) n",
        channel,
    )
    await raw.execute(
        "insert into facts (type, actor_kind, dialog_id, customer_id) "
        "select 'dialog.changed', 'system', d.id, d.customer_id from dialogs d, generate_series(1, 4)"
    )
    await raw.execute("vacuum (analyze)")


async def _explain_everything(database: Database) -> None:
    name = await database.raw.fetchval("select current_database()")
    for setting, value in _EXPLAIN.items():
        await database.raw.execute(f"alter database {name} set {setting} = '{value}'")


@pytest.fixture
def plans(year: Year) -> Plans:
    return Plans(year.empty)
