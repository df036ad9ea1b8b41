"""E-mail in the contract suite: a real Dovecot behind a relay that fails, and an SMTP server."""

import asyncio
import email
from contextlib import ExitStack
from email import policy
from email.message import EmailMessage
from itertools import count
from typing import Any, ClassVar

from channels.base import OutgoingMessage
from tests.channels.contract.kit import Kit
from tests.fakes.flaky_tcp import FlakyRelay
from tests.peers import dovecot, smtp

CUSTOMER = "anna@customer.test"


class EmailKit(Kit):
    kind: ClassVar[str] = "email"
    poll = True
    call_faults = ("down", "cut", "black_hole", "slow")
    lost_reply = True
    encoded = False
    secrets = (dovecot.PASSWORD,)

    async def open(self) -> None:
        self._stack = ExitStack()
        self._server = self._stack.enter_context(dovecot.serving())
        self._smtp = self._stack.enter_context(smtp.serving())
        self._imap_relay = await FlakyRelay(self._server.imap_port).__aenter__()
        self._smtp_relay = await FlakyRelay(self._smtp.port).__aenter__()
        self._address = self._server.add_user()
        self._numbers = count(1)
        await self.customer_writes("Здравствуйте")

    async def close(self) -> None:
        await self._imap_relay.go_down()
        await self._smtp_relay.go_down()
        await asyncio.to_thread(self._stack.close)

    def settings(self) -> dict[str, Any]:
        return {
            "address": self._address,
            "imap_host": "127.0.0.1",
            "imap_port": self._imap_relay.port,
            "imap_tls": "none",
            "imap_password": dovecot.PASSWORD,
            "smtp_host": "127.0.0.1",
            "smtp_port": self._smtp_relay.port,
            "smtp_tls": "none",
            "idle_seconds": 1,
            "http": {"timeout": 1.0},
        }

    async def customer_writes(self, text: str) -> None:
        number = next(self._numbers)
        mail = EmailMessage()
        mail["From"] = f"Анна <{CUSTOMER}>"
        mail["To"] = self._address
        mail["Subject"] = "Заказ"
        mail["Message-ID"] = f"<n{number}@customer.test>"
        if number > 1:
            mail["References"] = "<n1@customer.test>"
        mail.set_content(text)
        await asyncio.to_thread(self._server.deliver, mail.as_bytes(), self._address)

    async def fail_next(self, fault: str, *, calls: str) -> None:
        if calls != "send":
            await _order(self._imap_relay, fault)
        elif fault == "down":
            await self._smtp_relay.go_down()
        elif fault == "lost_reply":
            self._smtp.switches.drop_after_data = True
        else:
            self._smtp.switches.lose_data = fault

    async def recover(self) -> None:
        await self._imap_relay.listen()
        await self._smtp_relay.listen()
        self._smtp.switches = smtp.Switches()

    def received(self) -> list[str]:
        bodies = [mail.get_body(("plain",)) for mail in self._mails()]
        texts = [body.get_content().replace("\r\n", "\n") for body in bodies if body is not None]
        return [text.removesuffix("\n") for text in texts if text.strip()]

    def received_files(self) -> list[bytes]:
        return [part.get_payload(decode=True) for mail in self._mails() for part in mail.iter_attachments()]  # type: ignore[misc]

    def _mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(mail.content, policy=policy.default) for mail in self._smtp.taken]  # type: ignore[misc]

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        values: dict[str, Any] = {"chat": "<n1@customer.test>", "recipient": CUSTOMER}
        return OutgoingMessage(key=key, text=text, **(values | changes))


async def _order(relay: FlakyRelay, fault: str) -> None:
    if fault == "down":
        await relay.go_down()
    else:
        relay.fault = fault
