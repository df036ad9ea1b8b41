"""Killed at every step, started again: nothing lost, nothing doubled, nothing untrue."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.conftest import Victim
from tests.dialogs.desk import Chat, Desk
from tests.dialogs.fake import message, payload

SWEEP = 30
"""More steps than settling the message of a dead sender and sending the next one take."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_came_in_is_in_the_thread_once(
    desk: Desk, victim: Victim, tmp_path: Path, when: str
) -> None:
    source = tmp_path / "source"
    chat = await desk.chat(source=str(source))
    told: list[tuple[str, str]] = []

    def tell(number: int) -> None:
        """Something new, for old and new customers; one in three comes twice, as another event."""
        if number % 2:
            return
        who, text = f"who{number % 7}", f"{number:04}"
        told.append((who, text))
        event = json.loads(payload(message(who, text, external_id=text)))
        with source.open("a") as file:
            for copy in range(1 + (number % 6 == 0)):
                file.write(json.dumps({"key": f"{text}.{copy}", "lane": who, "payload": event}) + "\n")

    kills = 0
    tell(0)
    while await asyncio.to_thread(
        victim, job="inbound", channel_id=str(chat.id), kill_at=kills + 1, when=when
    ):
        kills += 1
        tell(kills)
    assert kills > 25, "the steps were not swept"
    assert not await asyncio.to_thread(victim, job="inbound", channel_id=str(chat.id))
    await nothing_lost(chat, told)


async def nothing_lost(chat: Chat, told: list[tuple[str, str]]) -> None:
    desk = chat.desk
    left = await desk.rows("select state, count(*) from inbound where channel_id = $1 group by 1", chat.id)
    assert [row["state"] for row in left] == ["done"]
    thread = await desk.rows(
        "select chat, text from messages where channel_id = $1 and direction = 'in' order by seq", chat.id
    )
    for who in {who for who, _ in told}:
        heard = [row["text"] for row in thread if row["chat"] == who]
        assert heard == [text for name, text in told if name == who], "lost, doubled or out of order"
        (dialog,) = await chat.dialogs(who)
        assert dialog["inbound_count"] == len(heard)
    assert await desk.value("select count(*) from customers c where not exists "
                            "(select from identities i where i.customer_id = c.id)") == 0  # fmt: skip
    facts = Counter(fact.ids["message_id"] for fact in await desk.facts() if fact.type == "message.created")
    assert len(facts) == len(told)
    assert set(facts.values()) == {1}


@pytest.mark.parametrize("kind", ["plain", "deduplicating"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_leaves_leaves_once(
    desk: Desk, victim: Victim, tmp_path: Path, kind: str, when: str
) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    chat = await desk.chat(kind, journal=str(journal))
    await write_answers(chat, people=4, each=9)
    kills = 0
    while True:
        await time_passes(desk)
        if not await asyncio.to_thread(victim, job="outbound", kill_at=kills + 1, when=when):
            break
        kills += 1
        if kills == SWEEP:
            break
    assert kills == SWEEP, "the steps were not swept"
    for _ in range(2):
        await time_passes(desk)
        assert not await asyncio.to_thread(victim, job="outbound")
    rows = await desk.rows(
        "select seq, chat, status from messages where channel_id = $1 and direction = 'out' order by seq",
        chat.id,
    )
    left = [int(key) for key in journal.read_text().split()]
    assert max(Counter(left).values()) == 1, "the platform got a message twice"
    if kind == "deduplicating":
        assert {row["status"] for row in rows} == {"sent"}
        assert sorted(left) == [row["seq"] for row in rows]
    else:
        assert {row["status"] for row in rows} == {"sent", "unknown"}
        assert {row["seq"] for row in rows if row["status"] == "sent"} <= set(left)
        doubts = sum(row["status"] == "unknown" for row in rows)
        assert 0 < doubts <= kills
    for who in {row["chat"] for row in rows}:
        mine = {row["seq"] for row in rows if row["chat"] == who}
        order = [seq for seq in left if seq in mine]
        assert order == sorted(order), "out of order"


async def write_answers(chat: Chat, *, people: int, each: int) -> None:
    for number in range(people):
        await chat.write(f"{chat.id}.{number}")
    await chat.desk.db.raw.execute(
        "insert into messages (customer_id, dialog_id, channel_id, identity_id, chat, direction, status,"
        " text, send_after) select customer_id, dialog_id, channel_id, identity_id, chat, 'out', 'queued', n,"
        " now()"
        " from messages, generate_series(1, $2) n where channel_id = $1 and direction = 'in' order by n",
        chat.id,
        each,
    )


async def time_passes(desk: Desk) -> None:
    """The leases of the dead and the pauses of the living are over; nobody dies ten times in a row."""
    await desk.db.raw.execute(
        "update messages set next_attempt_at = now() - interval '1 s', "
        "attempts = case when status = 'queued' then 0 else attempts end "
        "where status in ('sending', 'queued') and next_attempt_at is not null"
    )
