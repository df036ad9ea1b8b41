"""A customer's own mail program: reads her mailbox by IMAP, answers by SMTP."""

import smtplib
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid

from tests.helpers import eventually_sync
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.smtp import SmtpPeer


@dataclass
class Mailbox:
    """A mailbox on the real server, and the server that sends."""

    server: Dovecot
    smtp: SmtpPeer
    address: str
    name: str = "Анна"

    def mails(self) -> list[EmailMessage]:
        """All mails of the mailbox, oldest first."""
        with self.server.client(self.address) as imap:
            found = imap.fetch(imap.search(), ["RFC822"]) if imap.search() else {}
        return [
            message_from_bytes(found[uid][b"RFC822"], _class=EmailMessage, policy=policy.default)
            for uid in sorted(found)
        ]

    def wait(self, count: int, timeout: float = 20) -> EmailMessage:
        """The last mail, as soon as there are `count`."""
        eventually_sync(lambda: len(self.mails()) >= count, timeout, every=0.1)
        mails = self.mails()
        assert len(mails) == count
        return mails[-1]

    def reply(self, to: EmailMessage, text: str) -> str:
        """Answer a mail as mail programs do, with the quotation below; returns the Message-ID."""
        mail = EmailMessage()
        mail["From"] = f"{self.name} <{self.address}>"
        mail["To"] = to["Reply-To"] or to["From"]
        mail["Subject"] = f"Re: {to['Subject']}"
        mail["Message-ID"] = make_msgid(domain="customer.test")
        mail["In-Reply-To"] = to["Message-ID"]
        mail["References"] = to["Message-ID"]
        mail["Date"] = to["Date"]
        body = to.get_body(("plain",))
        assert body is not None
        quoted = "".join(f"> {line}\n" for line in body.get_content().splitlines())
        mail.set_content(f"{text}\n\nOn a day somebody wrote:\n{quoted}")
        with smtplib.SMTP(self.smtp.host, self.smtp.port, timeout=20) as smtp:
            smtp.login(self.address, PASSWORD)
            smtp.send_message(mail)
        return str(mail["Message-ID"])
