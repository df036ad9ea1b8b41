"""Reading a real mailbox: push, resume, lost connections, renumbering, large mails."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from imapclient import DELETED

from channels.base import Batch, DeliveryError, Gone, InboundMessage, RetryLater, Unauthorized
from channels.email import imap
from channels.email.adapter import EmailAdapter
from tests.channels.mail import adapter, mail
from tests.helpers import eventually
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.dovecot import dovecot as dovecot


def reader(server: Dovecot, address: str, **settings: Any) -> EmailAdapter:
    values: dict[str, Any] = {
        "address": address,
        "imap_port": server.imap_port,
        "imap_tls": "none",
        "imap_password": PASSWORD,
    }
    return adapter(**(values | settings))


def numbered(number: int, body: str = "", **headers: str) -> bytes:
    fields = {"Message-ID": f"<n{number}@customer.test>", "Subject": f"Mail {number}"} | headers
    return mail(body or f"Text {number}", headers=fields)


async def read(box: EmailAdapter, cursor: dict[str, Any] | None = None) -> tuple[list[Any], dict[str, Any]]:
    """Everything there is now: until the first empty batch."""
    events: list[Any] = []
    async with asyncio.timeout(30), aclosing(box.pull(cursor or {})) as batches:  # type: ignore[type-var]
        async for batch in batches:
            cursor = batch.cursor
            if not batch.events:
                return events, batch.cursor
            events += batch.events
    raise AssertionError("the transport ended")


def subjects(box: EmailAdapter, events: list[Any]) -> list[str]:
    return [event.meta["subject"] for raw in events for event in box.parse(raw.payload)]


async def test_reads_what_is_there_in_order_and_marks_nothing(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    for number in range(60):
        dovecot.deliver(numbered(number), address)
    box = reader(dovecot, address)
    events, cursor = await read(box)
    assert subjects(box, events) == [f"Mail {number}" for number in range(60)]
    assert cursor["last_uid"] == 60
    with dovecot.client(address) as client:
        assert client.search("UNSEEN") == list(range(1, 61))


async def test_batches_are_bounded_and_cursor_moves_with_them(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    for number in range(imap.BATCH_MAILS + 3):
        dovecot.deliver(numbered(number), address)
    async with aclosing(reader(dovecot, address).pull({})) as batches:  # type: ignore[type-var]
        first = await anext(batches)
        second = await anext(batches)
    assert (len(first.events), first.cursor["last_uid"]) == (imap.BATCH_MAILS, imap.BATCH_MAILS)
    assert (len(second.events), second.cursor["last_uid"]) == (3, imap.BATCH_MAILS + 3)


async def test_idle_pushes_at_once(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    async with aclosing(reader(dovecot, address, idle_seconds=300).pull({})) as batches:  # type: ignore[type-var]
        assert (await anext(batches)).events == []
        waiting = asyncio.ensure_future(anext(batches))
        await eventually(lambda: dovecot.connections(address) == 1)
        started = time.monotonic()
        dovecot.deliver(numbered(1), address)
        batch = await asyncio.wait_for(waiting, 20)
    assert len(batch.events) == 1
    assert time.monotonic() - started < 10


async def test_mail_between_looking_and_waiting_is_not_overlooked(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    reader_ = imap.Mailreader(reader(dovecot, address).settings)
    try:
        await asyncio.to_thread(reader_.connect)
        batch = await asyncio.to_thread(reader_.collect, {})
        dovecot.deliver(numbered(1), address)
        # Its announcement goes to a command that does not listen.
        await asyncio.to_thread(reader_._connected().noop)
        await asyncio.wait_for(asyncio.to_thread(reader_.wait), 10)
        assert len((await asyncio.to_thread(reader_.collect, batch.cursor)).events) == 1
    finally:
        reader_.abort()
        reader_.disconnect()


async def test_resumes_after_a_restart_without_loss_or_repeat(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    dovecot.deliver(numbered(1), address)
    first, cursor = await read(reader(dovecot, address))
    again, cursor = await read(reader(dovecot, address), cursor)
    assert (len(first), again) == (1, [])
    dovecot.deliver(numbered(2), address)
    box = reader(dovecot, address)
    assert subjects(box, (await read(box, cursor))[0]) == ["Mail 2"]


async def test_opened_by_somebody_else_is_still_read_and_deleted_is_not(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    for number in (1, 2):
        dovecot.deliver(numbered(number), address)
    with dovecot.client(address) as client:
        client.fetch([1], ["BODY[]"])
        client.add_flags([2], [DELETED])
    box = reader(dovecot, address)
    assert subjects(box, (await read(box))[0]) == ["Mail 1"]


async def test_first_connection_looks_back_only_so_far(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    with dovecot.client(address) as client:
        client.append("INBOX", numbered(1), msg_time=datetime.now(UTC) - timedelta(days=10))
        client.append("INBOX", numbered(2))
    box = reader(dovecot, address)
    events, cursor = await read(box)
    assert subjects(box, events) == ["Mail 2"]
    assert (await read(reader(dovecot, address, first_days=0)))[0] == []
    dovecot.deliver(numbered(3), address)
    assert subjects(box, (await read(box, cursor))[0]) == ["Mail 3"]


async def test_a_cut_connection_is_mended_without_a_word(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    async with aclosing(reader(dovecot, address).pull({})) as batches:  # type: ignore[type-var]
        await anext(batches)
        waiting = asyncio.ensure_future(_with_events(batches))
        for number in range(3):
            await eventually(lambda: dovecot.connections(address) == 1)
            dovecot.kick(address)
            dovecot.deliver(numbered(number), address)
            batch = await asyncio.wait_for(waiting, 20)
            assert len(batch.events) == 1
            waiting = asyncio.ensure_future(_with_events(batches))
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def _with_events(batches: AsyncIterator[Batch]) -> Batch:
    async for batch in batches:
        if batch.events:
            return batch
    raise AssertionError("the transport ended")


async def test_renumbering_reads_again_under_the_same_keys(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    for number in range(5):
        dovecot.deliver(numbered(number), address)
    dovecot.deliver(mail("no id", headers={"Message-ID": ""}), address)
    dovecot.deliver(numbered(1, "the same id, another text"), address)
    box = reader(dovecot, address)
    before, cursor = await read(box)
    assert len({event.key for event in before}) == 7
    with dovecot.client(address) as client:
        contents = [value[b"BODY[]"] for value in client.fetch(client.search(), ["BODY.PEEK[]"]).values()]
    renumber(dovecot, address, contents)
    after, moved = await read(box, cursor)
    assert moved["uidvalidity"] != cursor["uidvalidity"]
    assert {event.key for event in after} == {event.key for event in before}
    assert (await read(box, moved))[0] == []


def renumber(server: Dovecot, address: str, contents: list[bytes]) -> None:
    """The folder as after a server was restored: the same mails, another UIDVALIDITY, other UIDs."""
    validity = 2_000_000_000
    with server.client(address) as client:
        client.delete_messages(client.search())
        client.expunge()
    server.admin("mailbox", "update", "-u", address, "--uid-validity", str(validity), "INBOX")
    with server.client(address) as client:
        for content in reversed(contents):
            client.append("INBOX", content)


async def test_a_mail_of_50_mb_is_read_by_its_headers_and_text(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    large = EmailMessage()
    large["From"] = "Anna <anna@customer.test>"
    large["Subject"] = "Видео"
    large["Message-ID"] = "<large@customer.test>"
    large.set_content("Посмотрите видео", cte="base64")
    large.add_attachment(b"\0" * 38_000_000, maintype="video", subtype="mp4", filename="наш двор.mp4")
    content = large.as_bytes()
    assert len(content) > 50_000_000
    with dovecot.client(address) as client:
        client.append("INBOX", content)
    box = reader(dovecot, address)
    events, _ = await read(box)
    assert len(events[0].payload) < 300_000
    message = box.parse(events[0].payload)[0]
    assert isinstance(message, InboundMessage)
    assert message.text == "Посмотрите видео"
    assert message.aliases == ["<large@customer.test>"]
    assert message.meta["oversize"] > 50_000_000
    (file,) = message.files
    assert (file.name, file.kind, file.mime) == ("наш двор.mp4", "video", "video/mp4")
    with pytest.raises(Gone):
        await box.fetch(file.ref, limit=1000)


async def test_a_large_mail_without_parts_is_cut(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    with dovecot.client(address) as client:
        client.append("INBOX", mail("Привет, мир\n" * 100_000))
    box = reader(dovecot, address, max_mail_mb=1)
    (message,) = box.parse((await read(box))[0][0].payload)
    assert isinstance(message, InboundMessage)
    assert message.text.startswith("Привет, мир\nПривет, мир")
    assert message.files == []


async def test_awkward_mails_pass_through_the_server(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    text = "Где мой заказ? Жду ответа уже неделю."
    for charset in ("cp1251", "koi8-r", "utf-8"):
        head = f"From: a@b.test\nContent-Type: text/plain; charset={charset}\n\n"
        dovecot.deliver(head.encode() + text.encode(charset), address)
    dovecot.deliver(
        b"From: c@d.test\nContent-Type: text/plain; charset=utf-8\n\n" + text.encode("cp1251"), address
    )
    box = reader(dovecot, address)
    events, _ = await read(box)
    messages = [event for raw in events for event in box.parse(raw.payload)]
    assert [message.text for message in messages if isinstance(message, InboundMessage)] == [text] * 4
    assert len({raw.key for raw in events}) == 4


async def test_the_same_mail_in_two_mailboxes_has_one_key_in_each(dovecot: Dovecot) -> None:
    first, second = dovecot.add_user(), dovecot.add_user()
    dovecot.deliver(numbered(1), first, second)
    keys = [(await read(reader(dovecot, address)))[0][0].key for address in (first, second)]
    assert keys[0] == keys[1]


async def test_closing_ends_the_wait_at_once(dovecot: Dovecot) -> None:
    address = dovecot.add_user()
    box = reader(dovecot, address)
    batches = box.pull({})
    await anext(batches)
    waiting = asyncio.ensure_future(anext(batches, None))
    await eventually(lambda: dovecot.connections(address) == 1)
    started = time.monotonic()
    await box.close()
    assert await asyncio.wait_for(waiting, 5) is None
    assert time.monotonic() - started < 5
    await eventually(lambda: dovecot.connections(address) == 0)


async def test_cancelling_the_wait_leaves_no_connection(dovecot: Dovecot) -> None:
    address = dovecot.add_user()

    async def run() -> None:
        async with aclosing(reader(dovecot, address).pull({})) as batches:  # type: ignore[type-var]
            async for _ in batches:
                pass

    task = asyncio.ensure_future(run())
    await eventually(lambda: dovecot.connections(address) == 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await eventually(lambda: dovecot.connections(address) == 0)


@pytest.mark.parametrize("password", ["hunter2 wrong", "hunter2 пароль"])
async def test_wrong_password_is_unauthorized_and_says_no_secret(dovecot: Dovecot, password: str) -> None:
    box = reader(dovecot, dovecot.add_user(), imap_password=password)
    with pytest.raises(Unauthorized) as caught:
        await read(box)
    assert "hunter2" not in f"{caught.value} {caught.value.reason} {box.settings!r}"


async def test_missing_folder_and_missing_server_are_for_later(dovecot: Dovecot) -> None:
    with pytest.raises(RetryLater):
        await read(reader(dovecot, dovecot.add_user(), imap_folder="Nowhere"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RetryLater):
            await read(adapter(imap_port=closed.getsockname()[1], imap_tls="none"))


async def test_black_hole_is_noticed(dovecot: Dovecot) -> None:
    async def swallow(reader_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader_.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeliveryError):
            await asyncio.wait_for(read(adapter(imap_port=port, imap_tls="none", http={"timeout": 0.3})), 10)
