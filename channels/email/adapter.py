"""The e-mail adapter: one mailbox, read over IMAP and answered over SMTP."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, ClassVar, TypeVar

from channels.acts import Act
from channels.base import (
    Account,
    AccountInfo,
    AdapterSettings,
    Batch,
    Capabilities,
    Event,
    Gone,
    Link,
    OutgoingMessage,
    Rejected,
    RetryLater,
    Sender,
    Sent,
    WebhookReply,
    WebhookRequest,
    no_act,
)
from channels.email import parse as mails
from channels.email import smtp
from channels.email.compose import compose
from channels.email.imap import Lost, Mailreader
from channels.email.settings import EmailSettings

T = TypeVar("T")

MAX_CALL_SECONDS = 900
"""Longest call of the mail thread: a batch over a thin line, a wait for a push."""


class EmailAdapter:
    """See `channels.base.Adapter`."""

    kind: ClassVar[str] = "email"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=frozenset({"poll"}),
        max_text=500_000,
        attachments=frozenset({"image", "video", "audio", "voice", "document"}),
        max_attachments=20,
        max_file_bytes=18_000_000,
        can_initiate=True,
        copies=True,
    )
    Settings: ClassVar[type[AdapterSettings]] = EmailSettings

    def __init__(self, account: Account) -> None:
        assert isinstance(account.settings, EmailSettings)
        self.account = account
        self.settings = account.settings
        self.box = mails.Mailbox(account.settings, account.webhook_secret)
        self._readers: set[Mailreader] = set()

    async def check(self) -> AccountInfo:
        """Log in to both servers and open the folder."""
        reader = Mailreader(self.settings)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        try:
            facts = await _limited(reader, thread, reader.connect)
        finally:
            reader.abort()
            thread.submit(reader.disconnect)
            thread.shutdown(wait=False)
        async with smtp.session(self.settings) as client:
            facts["smtp_size"] = client.esmtp_extensions.get("size", "")
        return AccountInfo(title=self.settings.address, external_id=self.settings.address, facts=facts)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        """Mails as they arrive. All IMAP calls happen in one thread of this generator's own."""
        reader = Mailreader(self.settings)
        self._readers.add(reader)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        try:
            async with aclosing(_follow(reader, thread, cursor)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._readers.discard(reader)
            reader.abort()
            # The thread is not waited for: a black hole may hold it until its time-out.
            thread.submit(reader.disconnect)
            thread.shutdown(wait=False)

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        """Mailboxes have no webhook."""
        return WebhookReply(status=403)

    def parse(self, payload: bytes) -> list[Event]:
        """See `channels.email.parse`."""
        return mails.parse(payload, self.box)

    def extract(self, payload: bytes, ref: dict[str, Any]) -> tuple[bytes, str, str]:
        """Bytes, MIME type and name of a file whose `ref` has `part`, out of the stored mail. Pure.

        Raises `Gone` for a part that the mail has not.
        """
        try:
            return mails.extract(payload, ref)
        except (KeyError, TypeError) as error:
            raise Gone("the mail has no such part") from error

    async def send(self, message: OutgoingMessage) -> Sent:
        """Send one mail; a repeat carries the same Message-ID."""
        mail = await compose(message, self.box)
        try:
            refused = await smtp.deliver(mail, self.settings)
        except Rejected as error:
            if message.recipient in mail.recipients:
                raise
            # It went to others: what they refuse says nothing of the customer.
            raise Rejected(error.reason, code=error.code) from error
        return Sent(
            external_ids=[mail.message_id],
            chat=message.chat or mail.message_id,
            aliases=[mail.message_id],
            note=f"Not taken for: {', '.join(refused)}" if refused else "",
        )

    async def act(self, act: Act) -> None:
        raise no_act()

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        """Files are in the stored mail (`extract`); what was left out of it is gone."""
        raise Gone("the mail is larger than this mailbox's limit; the file was not read")

    async def profile(self, external_id: str) -> Sender | None:
        """Mail tells nothing more about a person."""
        return None

    async def typing(self, chat: str) -> None:
        """Mail knows no typing."""

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        """No deep links."""
        return None

    async def close(self) -> None:
        """End every pull."""
        for reader in list(self._readers):
            reader.abort()


async def _follow(
    reader: Mailreader, thread: ThreadPoolExecutor, cursor: dict[str, Any]
) -> AsyncGenerator[Batch, None]:
    async def run(call: Callable[..., T], *args: Any) -> T:
        return await _limited(reader, thread, call, *args)

    await run(reader.connect)
    proved = True
    while not reader.stopped:
        try:
            batch = await run(reader.collect, cursor)
            cursor, proved = batch.cursor, True
            yield batch
            if not batch.events:
                await run(reader.wait)
        except Lost as error:
            if reader.stopped:
                return
            # Servers end idle connections all day long; only one that never works again is news.
            if not proved:
                raise RetryLater(f"The IMAP connection was lost: {error}", code="connect") from error
            proved = False
            await run(reader.connect)


async def _limited(reader: Mailreader, thread: ThreadPoolExecutor, call: Callable[..., T], *args: Any) -> T:
    """Make a call in the thread. Socket time-outs end a silent server; this one a server that drips."""
    timeout = reader.settings.http.timeout
    seconds = 3 * timeout if call == reader.connect else MAX_CALL_SECONDS
    work = asyncio.get_running_loop().run_in_executor(thread, call, *args)
    done, _ = await asyncio.wait({work}, timeout=seconds)
    if not done:
        reader.abort()
        raise RetryLater("The IMAP server is too slow.", code="timeout")
    return work.result()
