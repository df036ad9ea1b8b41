"""The desk with the real e-mail adapter: mails are stored as a mailbox gives them, answers leave by SMTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from channels import inbound
from channels.base import RawEvent
from channels.email import parse as mails
from channels.email import threading
from channels.models import Channel, ChannelTeam
from tests.channels.mail import mail
from tests.dialogs.conftest import module_database_url as module_database_url
from tests.dialogs.conftest import quiet as quiet
from tests.dialogs.desk import Desk, open_desk
from tests.peers import smtp
from tests.peers.dovecot import PASSWORD
from tests.peers.dovecot import dovecot as dovecot
from tests.peers.smtp import SmtpPeer

_numbers = count(1)


@dataclass
class Box:
    """A connected mailbox of the desk."""

    desk: Desk
    server: SmtpPeer
    id: UUID
    address: str
    adapter: Any

    async def gets(self, payload: bytes, key: str = "") -> dict[str, Any] | None:
        """A mail comes in and is understood; its message, if it is one."""
        event = RawEvent(key or mails.content_key(payload), payload, mails.lane(payload))
        async with self.desk.db.transaction() as session:
            await inbound.store(session, self.id, [event])
        await self.desk.understand()
        rows = await self.desk.rows(
            "select m.* from messages m join inbound i on i.id = m.inbound_id where i.channel_id = $1 "
            "and i.key = $2",
            self.id,
            event.key,
        )
        return rows[0] if rows else None

    async def hears(self, who: str = "", body: str = "Hello", **headers: str) -> dict[str, Any]:
        """A customer writes a plain mail; `headers` with underscores for hyphens."""
        number = next(_numbers)
        fields = {
            "From": who or f"Anna <anna{number}@customer.test>",
            "To": self.address,
            "Message-ID": f"<c{number}@customer.test>",
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        row = await self.gets(mail(body, headers=fields | named))
        assert row is not None
        return row

    async def answers(self, dialog_id: UUID, text: str = "Yes", **new: Any) -> Any:
        """An agent answers and it leaves; gives the message as the API shows it afterwards."""
        posted = await self.desk.answer(dialog_id, text, **new)
        await self.desk.db.raw.execute("update messages set send_after = now() where status = 'queued'")
        await self.desk.send()
        return await self.shown(posted["id"])

    async def shown(self, message_id: str) -> Any:
        """The message as the API shows it."""
        row = await self.desk.row("select customer_id, seq from messages where id = $1", UUID(message_id))
        thread = await self.desk.anna.get(f"/customers/{row['customer_id']}/messages?limit=200")
        return next(item for item in thread.json()["items"] if item["id"] == str(message_id))

    def taken(self, index: int = -1) -> EmailMessage:
        """A mail that left."""
        return message_from_bytes(self.server.taken[index].content, policy=policy.default)  # type: ignore[return-value]

    def token(self, key: str) -> str:
        return threading.token(key, self.adapter.box.secret)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_desk(
    module_database_url: str, quiet: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    async with open_desk(module_database_url, tmp_path_factory.mktemp("desk"), undo_seconds=0) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="module")
async def desk(module_desk: Desk) -> Desk:
    await module_desk.begin()
    return module_desk


@pytest.fixture(scope="module")
def module_server() -> Iterator[SmtpPeer]:
    with smtp.serving() as peer:
        yield peer


@pytest.fixture
def server(module_server: SmtpPeer) -> SmtpPeer:
    module_server.switches = smtp.Switches()
    module_server.taken.clear()
    return module_server


async def connect(desk: Desk, server: SmtpPeer, **settings: Any) -> Box:
    """One more mailbox; the support team serves it."""
    address = f"help{next(_numbers)}@shop.test"
    values = {
        "address": address, "imap_host": "127.0.0.1", "smtp_host": "127.0.0.1", "smtp_tls": "none",
        "smtp_port": server.port, "display_name": "Shop",
    }  # fmt: skip
    async with desk.db.transaction() as session:
        channel = Channel(
            kind="email",
            name="Mail",
            external_id=address,
            webhook_key=uuid4().hex,
            secrets=desk.gateway.box.seal({"smtp_password": PASSWORD, "_webhook": uuid4().hex}),
            settings=values | settings,
        )
        session.add(channel)
        await session.flush()
        session.add(ChannelTeam(channel_id=channel.id, team_id=desk.world.support))
        await session.flush()
        adapter = await desk.gateway.adapter(session, channel.id)
    return Box(desk, server, channel.id, address, adapter)


@pytest_asyncio.fixture(loop_scope="module")
async def box(desk: Desk, server: SmtpPeer) -> Box:
    return await connect(desk, server)
