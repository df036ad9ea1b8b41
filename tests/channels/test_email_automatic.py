"""Bounces, read receipts and what machines write."""

import pytest

from channels.base import Ignored, InboundMessage, Receipt
from channels.email import threading
from tests.channels.mail import ADDRESS, SECRET, mail, one, only, raw

OURS = threading.message_id("55", secret=SECRET, domain="shop.test")


TYPES = {
    "report": 'multipart/report; report-type=delivery-status; boundary="b"',
    "mixed": 'multipart/mixed; boundary="b"',
}


def dsn(
    *, action: str = "failed", status: str = "5.1.1", original: str = OURS, kind: str = "report"
) -> bytes:
    return raw(
        f"From: Mail Delivery System <MAILER-DAEMON@mx.test>\nTo: {ADDRESS}\nSubject: Undelivered Mail\n"
        f"Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: {TYPES[kind]}",
        f"""--b
Content-Type: text/plain

This is the mail system. Your mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test

Final-Recipient: rfc822; anna@customer.test
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 <anna@customer.test>: user
 unknown

--b
Content-Type: message/rfc822

From: {ADDRESS}
Message-ID: {original}
Subject: Re: Order

text
--b--
""".encode(),
    )


@pytest.mark.parametrize("kind", ["report", "mixed"])
def test_a_bounce_fails_our_message(kind: str) -> None:
    event = only(dsn(kind=kind))
    assert event == Receipt(
        chat="",
        status="failed",
        alias=OURS,
        reason="550 5.1.1 <anna@customer.test>: user unknown",
        recipient="anna@customer.test",
    )


def test_a_delay_is_noted() -> None:
    event = only(dsn(action="delayed", status="4.4.1"))
    assert isinstance(event, Receipt)
    assert (event.status, event.recipient) == ("noted", "anna@customer.test")
    assert event.reason.startswith("Delayed: ")


@pytest.mark.parametrize("action", ["relayed", "delivered", "expanded"])
def test_news_without_harm_changes_nothing(action: str) -> None:
    assert isinstance(only(dsn(action=action, status="4.4.1")), Ignored)


def test_a_bounce_of_a_mail_that_is_not_ours_stays_visible_as_automatic() -> None:
    event = only(dsn(original="<other@x.test>"))
    assert isinstance(event, InboundMessage)
    assert event.automatic


def test_a_forged_id_fails_nothing() -> None:
    forged = threading.message_id("55", secret="guess", domain="shop.test")
    assert isinstance(only(dsn(original=forged)), InboundMessage)


def test_a_bounce_in_plain_words_is_found_by_the_id_it_quotes() -> None:
    event = only(
        raw(
            f"Return-Path: <>\nFrom: postmaster@qmail.test\nTo: {ADDRESS}\nSubject: failure notice",
            f"Sorry, no mailbox here by that name.\n\n--- A copy:\nMessage-ID: {OURS}\n".encode(),
        )
    )
    assert isinstance(event, Receipt)
    assert event.alias == OURS
    assert "no mailbox" in event.reason


def test_a_bounce_to_the_signed_address_is_found_by_it() -> None:
    head = (
        f"Delivered-To: {threading.reply_address(ADDRESS, '55', SECRET)}\nFrom: mailer-daemon@mx.test\n"
        "Subject: Недоставленное сообщение"
    )
    event = only(raw(head, "Ящик переполнен".encode()))
    assert isinstance(event, Receipt)
    assert (event.alias, event.reason) == (OURS, "Ящик переполнен")


def test_an_ordinary_answer_that_quotes_our_id_is_no_bounce() -> None:
    assert isinstance(only(mail(f"see {OURS}", headers={"In-Reply-To": OURS})), InboundMessage)


@pytest.mark.parametrize(("mode", "kind"), [("displayed", Receipt), ("deleted", Ignored)])
def test_read_receipt(mode: str, kind: type) -> None:
    event = only(
        raw(
            "From: anna@customer.test\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"',
            f"--b\nContent-Type: text/plain\n\nread\n--b\nContent-Type: message/disposition-notification\n\n"
            f"Original-Message-ID: {OURS}\nDisposition: manual-action/MDN-sent-manually; {mode}\n"
            "--b--\n".encode(),
        )
    )
    assert isinstance(event, kind)
    if isinstance(event, Receipt):
        assert (event.status, event.alias) == ("read", OURS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "auto-replied"),
        ("Auto-Submitted", "auto-generated (rejected)"),
        ("X-Autoreply", "yes"),
        ("X-Auto-Response-Suppress", "All"),
        ("Precedence", "bulk"),
        ("List-Id", "<news.test>"),
        ("List-Unsubscribe", "<mailto:x@y.test>"),
        ("Feedback-ID", "1:2"),
        ("Subject", "Автоответ: Заказ"),
        ("Subject", "Automatic reply: Order"),
        ("Subject", "Out of Office"),
    ],
)
def test_machines_are_known(name: str, value: str) -> None:
    assert one(mail(headers={name: value})).automatic


@pytest.mark.parametrize(
    ("name", "value"), [("Auto-Submitted", "no"), ("Precedence", "normal"), ("Subject", "Про автоответчик")]
)
def test_people_are_people(name: str, value: str) -> None:
    assert not one(mail(headers={name: value})).automatic
