"""An SMTP server that takes our mail and delivers it into Dovecot by LMTP, and fails on demand."""

import asyncio
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.peers.dovecot import PASSWORD


@dataclass
class Taken:
    """A mail that the server has."""

    sender: str
    recipients: list[str]
    content: bytes
    options: list[str]


@dataclass
class Switches:
    """How the server behaves; change them while it runs."""

    refuse: dict[str, str] = field(default_factory=dict)
    """Recipient → answer, as `550 5.1.1 No such user`."""
    refuse_data: str = ""
    """Answer to the mail itself instead of taking it."""
    refuse_login: str = ""
    drop_after_data: bool = False
    """Take the mail, then cut the connection without an answer."""
    silent_after_data: bool = False
    """Take the mail, then say nothing."""
    lose_data: str = ""
    """Do not take the mail, and: `cut` the connection, or never finish the answer (`black_hole`, `slow`)."""
    drop_at_rcpt: bool = False


class SmtpPeer:
    """Handler of aiosmtpd. `taken` holds every mail, also those whose answer was lost."""

    def __init__(self, lmtp: tuple[str, int] | None = None) -> None:
        self.lmtp = lmtp
        self.switches = Switches()
        self.taken: list[Taken] = []
        self.silence = asyncio.Event()
        self.host = ""
        self.port = 0
        self.logins: list[str] = []

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Take any login with the password of the peers."""
        if self.switches.refuse_login:
            return AuthResult(success=False, handled=False, message=self.switches.refuse_login)
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        if good:
            self.logins.append(data.login.decode())
        return AuthResult(success=good, handled=good)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take nothing from strangers. (The library's own switch for this warns about plain text.)"""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if self.switches.drop_at_rcpt:
            server.transport.abort()  # type: ignore[union-attr]
            return "421 Bye"
        if address in self.switches.refuse:
            return self.switches.refuse[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail, pass it on, answer or not."""
        if self.switches.refuse_data:
            return self.switches.refuse_data
        if self.switches.lose_data:
            return await self._lose(server, self.switches.lose_data)
        content = envelope.original_content or b""
        taken = Taken(envelope.mail_from or "", list(envelope.rcpt_tos), content, list(envelope.mail_options))
        if self.lmtp:
            await asyncio.get_running_loop().run_in_executor(None, self._pass_on, taken)
        self.taken.append(taken)
        if self.switches.drop_after_data:
            server.transport.abort()  # type: ignore[union-attr]
        if self.switches.silent_after_data:
            await self.silence.wait()
        return "250 Queued"

    async def _lose(self, server: SMTP, how: str) -> str:
        transport = server.transport
        assert isinstance(transport, asyncio.Transport)
        while how == "slow" and not transport.is_closing():
            transport.write(b"2")
            await asyncio.sleep(0.02)
        if how == "black_hole":
            await self.silence.wait()
        transport.abort()
        return "421 Bye"

    def _pass_on(self, mail: Taken) -> None:
        assert self.lmtp
        options = ["SMTPUTF8"] if "SMTPUTF8" in mail.options else []
        with smtplib.LMTP(*self.lmtp) as lmtp:
            # One by one: LMTP answers once for each recipient, smtplib reads one answer.
            for recipient in mail.recipients:
                lmtp.sendmail(mail.sender, [recipient], mail.content, options)


class _Controller(Controller):
    """The library's own, which probes the port that it was asked for; here that is 0."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def serving(
    lmtp: tuple[str, int] | None = None, *, size_limit: int = 40_000_000, smtputf8: bool = True
) -> Iterator[SmtpPeer]:
    """A server on a port of its own, in a thread of its own, for the length of the block."""
    peer = SmtpPeer(lmtp)
    controller = _Controller(
        peer,
        hostname="127.0.0.1",
        port=0,
        data_size_limit=size_limit,
        enable_SMTPUTF8=smtputf8,
        authenticator=peer.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    assert controller.server is not None
    peer.host, peer.port = controller.server.sockets[0].getsockname()[:2]
    try:
        yield peer
    finally:
        controller.loop.call_soon_threadsafe(peer.silence.set)
        controller.stop()
