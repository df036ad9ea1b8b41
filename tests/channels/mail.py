"""What the tests of the e-mail adapter share: a mailbox without servers, and mails."""

from email.message import EmailMessage
from typing import Any
from uuid import UUID

from channels.base import Account, Event, InboundMessage, OutgoingMessage
from channels.email.adapter import EmailAdapter
from channels.email.settings import EmailSettings

SECRET = "a secret of the tests"
ADDRESS = "help@shop.test"


def adapter(**settings: Any) -> EmailAdapter:
    """An adapter of `ADDRESS`; its servers do not exist unless `settings` names them."""
    values = {"address": ADDRESS, "imap_host": "127.0.0.1", "smtp_host": "127.0.0.1"} | settings
    return EmailAdapter(Account(UUID(int=7), "Mail", EmailSettings(**values), "", SECRET))


def mail(body: str = "Hello", *, html: str = "", headers: dict[str, str] | None = None) -> bytes:
    """A plain mail of a customer; `headers` replace or add fields, an empty value removes one."""
    message = EmailMessage()
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    fields = {
        "From": "Anna <anna@customer.test>",
        "To": ADDRESS,
        "Subject": "Order 4711",
        "Message-ID": "<m1@customer.test>",
        "Date": "Tue, 04 Mar 2025 12:30:00 +0300",
    }
    for name, value in (fields | (headers or {})).items():
        if value:
            message[name] = value
    return message.as_bytes()


def raw(headers: str, body: bytes = b"Hello\n") -> bytes:
    """A mail from exact header text."""
    return headers.strip().encode("utf-8", "surrogateescape") + b"\n\n" + body


def one(payload: bytes, **settings: Any) -> InboundMessage:
    """The only message that a mail means."""
    event = only(payload, **settings)
    assert isinstance(event, InboundMessage), event
    return event


def only(payload: bytes, **settings: Any) -> Event:
    """The only event that a mail means."""
    events = adapter(**settings).parse(payload)
    assert len(events) == 1
    return events[0]


def outgoing(**fields: Any) -> OutgoingMessage:
    """A message to send to the customer of `mail`."""
    values: dict[str, Any] = {
        "key": "1234567890123456789",
        "chat": "<m1@customer.test>",
        "recipient": "anna@customer.test",
        "text": "It is on its way.",
    }
    return OutgoingMessage(**(values | fields))
