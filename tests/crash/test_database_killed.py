"""The database server itself is killed in the middle: what was acknowledged is there afterwards, once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.core import embedded, migrate
from app.core.embedded import EmbeddedServer
from app.loops import Loop, together
from dialogs import inbox, outbox
from tests.dialogs.desk import Chat, Desk, open_desk
from tests.dialogs.fake import message
from tests.helpers import eventually


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:2]:
        folder.chmod(folder.stat().st_mode | 0o055)  # the server's own user must get in
    started = embedded.start(tmp_path / "data")
    yield started
    started.stop()


@pytest.fixture
async def own_desk(
    server: EmbeddedServer, tmp_path: Path, fake_kinds: None, quiet: None
) -> AsyncIterator[Desk]:
    await migrate.upgrade(server.url())
    async with open_desk(server.url(), tmp_path / "desk") as desk:
        yield desk


async def tell(chat: Chat, number: int) -> None:
    """As a platform does: again and again until it is acknowledged."""
    who = f"who{number % 5}"
    event = message(who, f"{number:03}", external_id=str(number))
    while True:
        with suppress(Exception):
            await chat.store(event, key=str(number), lane=who)
            return
        await asyncio.sleep(0.05)


async def test_the_server_is_killed_while_messages_come_and_go(
    own_desk: Desk, server: EmbeddedServer
) -> None:
    desk, chat = own_desk, await own_desk.chat()
    app = desk.world.app
    first = await chat.write("who0", "first")
    for number in range(30):
        await desk.answer(first["dialog_id"], f"{number:03}")
    loops = [
        Loop("in", lambda: inbox.turn(desk.db, desk.gateway, app.state.settings), every=0.05),
        Loop("out", lambda: outbox.turn(desk.db, desk.gateway, app.state.files), every=0.05),
    ]
    running = asyncio.create_task(together(*loops))
    try:
        for number in range(40):
            if number == 20:
                dead = server._process
                assert dead
                os.kill(dead.pid, signal.SIGKILL)
                server.launch()  # its number is still taken: nobody has waited for the dead one
                dead.wait()
            await tell(chat, number)
        await eventually(lambda: settled(desk), 30)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    for who in range(5):
        heard = [row["text"] for row in await chat.messages(f"who{who}") if row["direction"] == "in"]
        assert [text for text in heard if text != "first"] == [f"{n:03}" for n in range(who, 40, 5)]
    left = [call.text for call in chat.adapter.calls]
    assert left == sorted(set(left)), "sent twice or out of order"
    rows = await desk.rows("select text, status from messages where direction = 'out' and status <> 'sent'")
    assert {row["status"] for row in rows} <= {"unknown"}
    assert len(rows) <= 1


async def settled(desk: Desk) -> bool:
    """All is understood and sent; the lease of a send that was interrupted is over."""
    with suppress(Exception):
        await desk.db.raw.execute(
            "update messages set next_attempt_at = now() - interval '1 s' where status = 'queued' "
            "or (status = 'sending' and next_attempt_at < now() + interval '117 s')"  # for three seconds
        )
        async with desk.db.transaction() as session:
            await outbox.reap(session)
        open_work = (
            "select count(*) from messages where status in ('queued', 'sending') "
            "union all select count(*) from inbound where state = 'new'"
        )
        return not any(row["count"] for row in await desk.rows(open_work))
    return False
