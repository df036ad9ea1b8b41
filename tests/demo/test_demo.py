"""`otklik demo` tells a whole story on the real road, once, and its customers then live on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.agents import passwords, viewer
from app.core.errors import Conflict
from app.core.files import open_files
from app.demo import people, run, script
from app.worker import Worker
from channels import adapters
from dialogs import lifecycle, messages
from dialogs.schemas import MessageNew
from tests.demo.conftest import Shop, open_shop
from tests.helpers import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_kind_of_channel_carries_messages(shop: Shop) -> None:
    rows = await shop.rows(
        "select c.kind, count(*) filter (where m.direction = 'in'), "
        "count(*) filter (where m.direction = 'out') "
        "from channels c join messages m on m.channel_id = c.id group by 1 order by 1"
    )
    assert [row[0] for row in rows] == ["api", "email", "telegram", "vk", "webchat"]
    assert all(row[1] >= 4 and row[2] >= 2 for row in rows), rows  # type: ignore[operator]
    assert await shop.value("select count(*) from inbound where state <> 'done'") == 0


async def test_forty_customers_speak_two_languages(shop: Shop) -> None:
    assert await shop.count("customers") >= 40
    russian = await shop.value("select count(*) from messages where direction = 'in' and text ~ '[а-я]'")
    english = await shop.value(
        "select count(*) from messages where direction = 'in' and text ~ '[a-z]{3}' and text !~ '[а-я]'"
    )
    assert russian >= 40  # type: ignore[operator]
    assert english >= 20  # type: ignore[operator]
    assert await shop.value("select count(*) from customers where name = ''") == 0
    several = await shop.value(
        "select count(*) from (select from identities group by customer_id having count(*) > 1) s"
    )
    assert several == 3


async def test_dialogs_tasks_and_messages_are_in_every_state(shop: Shop) -> None:
    async def states(table: str) -> set[object]:
        return {row[0] for row in await shop.rows(f"select distinct status from {table}")}

    assert await states("dialogs") == {"open", "snoozed", "closed"}
    assert await states("tasks") == {"todo", "in_progress", "waiting", "done", "cancelled"}
    assert {"sent", "read", "failed", "unknown"} <= await states("messages")
    assert await shop.value("select count(*) from tasks where overdue_at is not null") >= 2  # type: ignore[operator]
    assert await shop.value("select count(*) from dialogs where task_count > 1") >= 1  # type: ignore[operator]
    assert await shop.value("select count(*) from facts where type = 'dialog.reopened'") >= 1  # type: ignore[operator]
    assert await shop.value("select count(*) from message_versions") == 1
    assert await shop.value("select count(*) from messages where meta ? 'poll'") == 1


async def test_failures_show_their_reasons(shop: Shop) -> None:
    rows = await shop.rows(
        "select status, error_code, error <> '' from messages "
        "where status in ('failed', 'unknown') order by 1"
    )
    assert rows == [("failed", "blocked", True), ("unknown", "bad_answer", True)]


async def test_all_files_arrived(shop: Shop) -> None:
    kinds = await shop.rows(
        "select kind, count(*) from attachments where state = 'stored' group by 1 order by 1"
    )
    assert [kind for kind, _ in kinds] == ["document", "image", "sticker", "voice"]
    assert await shop.value("select count(*) from attachments where state <> 'stored'") == 0
    assert await shop.value("select count(*) from customers where avatar_key is not null") >= 8  # type: ignore[operator]


async def test_the_angry_one_waits_longest(shop: Shop) -> None:
    name = await shop.value(
        "select c.name from dialogs d join customers c on c.id = d.customer_id "
        "where d.status = 'open' and waiting_since is not null order by waiting_since limit 1"
    )
    assert name == "Геннадий Сафронов"


async def test_history_lies_in_the_past_and_in_order(shop: Shop) -> None:
    assert await shop.value("select min(created_at) < now() - interval '7 days' from messages")
    late = "select count(*) from messages where created_at > now() - interval '4 minutes'"
    assert await shop.value(late) == 1  # the one customer of the living traffic
    wrong = await shop.value(
        "select count(*) from (select created_at < lag(created_at) "
        "over (partition by customer_id order by seq) "
        "as back from messages) s where back"
    )
    assert wrong == 0
    assert await shop.value("select count(*) from dialogs where created_at > last_message_at") == 0
    assert await shop.value(
        "select count(*) = 0 from facts f join messages m on m.id = f.message_id "
        "where f.type = 'message.created' and f.at <> m.created_at "
        "and m.created_at < now() - interval '4 minutes'"
    )


async def test_people_of_all_roles_know_the_password(shop: Shop) -> None:
    rows = await shop.rows(
        "select role, is_bot, password_hash from agents where email like '%@' || $1", people.DOMAIN
    )
    assert {role for role, is_bot, _ in rows if not is_bot} == {"agent", "lead", "admin"}
    assert len(rows) == 7
    assert next(row for row in rows if row[1])[2] is None, "bots have no password"
    stored = next(hashed for _, is_bot, hashed in rows if not is_bot)
    assert await passwords.verify(str(stored), people.PASSWORD)
    first = await shop.value("select password_hash from agents where email = 'admin@otklik.local'")
    assert not await passwords.verify(str(first), people.PASSWORD), "only the demo's agents have it"


async def test_a_second_run_adds_traffic_but_no_story(shop: Shop) -> None:
    before = [await shop.count(table) for table in ("agents", "channels", "tasks", "teams")]
    customers = await shop.count("customers")
    await shop.run(once=True, seed=2)
    assert not shop.said[-1].new
    assert [await shop.count(table) for table in ("agents", "channels", "tasks", "teams")] == before
    assert await shop.count("customers") == customers + 1
    states = await shop.rows("select kind, state from channels order by 1")
    paused = {"telegram", "vk", "email"}
    assert states == [(k, "paused" if k in paused else "active") for k in sorted({*paused, "api", "webchat"})]


async def test_customers_live_on_and_reply(shop: Shop) -> None:
    async with _worker(shop), _demo(shop):
        running = "select count(*) = 5 from channels where state = 'active'"
        await eventually(lambda: shop.value(running), 30)
        count = await shop.count("messages")
        ids = [await _answer(shop, kind) for kind in ("telegram", "vk", "email", "webchat", "api")]
        left = "select count(*) from messages where id = any($1) and status in ('sent', 'delivered', 'read')"
        await eventually(lambda: _is(shop.value(left, ids), 5), 30)
        replied = (
            "select count(*) = 5 from messages o where o.id = any($1) and exists (select from messages r "
            "where r.customer_id = o.customer_id and r.direction = 'in' and r.seq > o.seq)"
        )
        await eventually(lambda: shop.value(replied, ids), 30)
        read = "select count(*) from messages where id = any($1) and status = 'read'"
        await eventually(lambda: _is(shop.value(read, ids), 2), 30)
        grown = "select count(*) >= 3 from customers where created_at > now() - interval '5 minutes'"
        await eventually(lambda: shop.value(grown), 30)
        assert await shop.count("messages") >= count + 10
    assert await shop.value("select count(*) from inbound where state = 'quarantined'") == 0


async def _is(value: object, wanted: object) -> bool:
    return await value == wanted  # type: ignore[misc]


async def _answer(shop: Shop, kind: str) -> UUID:
    """The lead answers somebody of the story on a channel of that kind."""
    row = await shop.database.raw.fetchrow(
        "select d.id from dialogs d join channels c on c.id = d.channel_id where c.kind = $1 "
        "and d.status = 'open' and d.created_at < now() - interval '5 minutes' "
        "and not exists (select from messages m "
        "where m.dialog_id = d.id and m.status in ('failed', 'unknown')) "
        "order by d.number limit 1",
        kind,
    )
    async with shop.database.transaction() as session:
        olga = await people.find(session, "vera")
        assert olga is not None
        author = await viewer.load(session, olga.id)
        new = MessageNew(client_key=f"test-{uuid4().hex}", text="Уже занимаемся!")
        await lifecycle.assign(session, author, row["id"], {"assignee_id": author.agent_id})
        return await messages.post(session, author, row["id"], new, settings=shop.settings)


@asynccontextmanager
async def _worker(shop: Shop) -> AsyncIterator[None]:
    task = asyncio.create_task(Worker(shop.database, shop.settings, files=open_files(shop.settings)).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await adapters.close_all()


@asynccontextmanager
async def _demo(shop: Shop) -> AsyncIterator[None]:
    task = asyncio.create_task(shop.run(seed=3, longest=1))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_two_demos_do_not_share_a_database(shop: Shop) -> None:
    async with run._alone(shop.database.url):
        with pytest.raises(Conflict, match="already"):
            await shop.run(once=True)


async def test_it_does_not_mix_with_real_customers(database_url: str, tmp_path: Path, quiet: None) -> None:
    async with open_shop(database_url, tmp_path) as shop:
        await shop.database.raw.execute("insert into customers (name) values ('Real')")
        with pytest.raises(Conflict, match="--yes"):
            await shop.run(once=True)
        assert await shop.count("agents") == 0


async def test_it_does_not_open_a_public_server(database_url: str, tmp_path: Path, quiet: None) -> None:
    async with open_shop(database_url, tmp_path) as shop:
        shop.settings = shop.settings.model_copy(update={"public_url": "https://desk.example.org"})
        with pytest.raises(Conflict, match="known password"):
            await shop.run(once=True)


async def test_the_scripts_can_be_read_at_any_hour() -> None:
    from datetime import UTC, datetime, timedelta

    for locale in script.LANGUAGES:
        for hour in range(24):
            now = datetime(2026, 3, 1, hour, 7, tzinfo=UTC)
            steps = script.load(locale, now)
            assert len({step.person.key for step in steps}) >= 40
            assert all(now - timedelta(days=10) < step.at < now for step in steps)
            angry = [step for step in steps if step.person.key.startswith("angry")]
            assert angry
