"""Sending over a real SMTP conversation: what the customer gets, and what each failure means."""

import email
import socket
import ssl
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from channels.base import (
    Account,
    DeliveryError,
    InboundMessage,
    OutcomeUnknown,
    OutgoingFile,
    Rejected,
    RetryLater,
    Unauthorized,
)
from channels.email import threading
from channels.email.adapter import EmailAdapter
from tests.channels.mail import ADDRESS, SECRET, adapter, mail, one, outgoing
from tests.peers import smtp as peers
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.dovecot import dovecot as dovecot
from tests.peers.smtp import SmtpPeer

CUSTOMER = "anna@customer.test"


@pytest.fixture
def server() -> Iterator[SmtpPeer]:
    with peers.serving() as peer:
        yield peer


def sender(server: SmtpPeer, **settings: Any) -> EmailAdapter:
    values: dict[str, Any] = {
        "smtp_port": server.port,
        "smtp_tls": "none",
        "smtp_password": PASSWORD,
        "display_name": "Магазин",
    }
    return adapter(**(values | settings))


def taken(server: SmtpPeer, index: int = -1) -> EmailMessage:
    return email.message_from_bytes(server.taken[index].content, policy=policy.default)  # type: ignore[return-value]


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self) -> bytes:
        return self.data


def file(data: bytes, name: str, mime: str) -> OutgoingFile:
    return OutgoingFile(kind="document", name=name, mime=mime, size=len(data), content=Bytes(data))


async def test_an_answer_joins_the_customers_thread(server: SmtpPeer) -> None:
    question = one(mail(headers={"References": "<first@x.test>", "Subject": "Где заказ?"}))
    sent = await sender(server).send(
        outgoing(
            chat=question.chat, meta=question.meta, text="Едет <b> & скоро\nhttps://shop.test/o?a=1&b=2."
        )
    )
    message = taken(server)
    assert message["To"] == CUSTOMER
    assert message["From"] == f"Магазин <{ADDRESS}>"
    assert message["Subject"] == "Re: Где заказ?"
    assert message["In-Reply-To"] == "<m1@customer.test>"
    assert message["References"] == "<first@x.test> <m1@customer.test>"
    assert sent.external_ids == sent.aliases == [message["Message-ID"]]
    assert sent.chat == question.chat
    plain, page = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    assert plain.get_content().split() == ["Едет", "<b>", "&", "скоро", "https://shop.test/o?a=1&b=2."]
    assert "Едет &lt;b&gt; &amp; скоро<br>" in page.get_content()
    assert '<a href="https://shop.test/o?a=1&amp;b=2">' in page.get_content()
    assert server.taken[0].content.isascii()
    assert server.taken[0].recipients == [CUSTOMER]


async def test_a_first_mail_begins_its_own_thread(server: SmtpPeer) -> None:
    sent = await sender(server).send(outgoing(chat="", text="Ваш заказ готов\n\nЖдём вас"))
    assert sent.chat == sent.external_ids[0]
    assert taken(server)["Subject"] == "Ваш заказ готов"
    assert taken(server)["In-Reply-To"] is None
    answer = one(mail(headers={"In-Reply-To": sent.chat, "References": sent.chat}))
    assert answer.chat == sent.chat


async def test_re_is_not_piled_up(server: SmtpPeer) -> None:
    for subject in ("Re: x", "RE: x", "Ответ: x", "Re[2]: x"):
        await sender(server).send(outgoing(meta={"subject": subject}))
        assert taken(server)["Subject"] == subject


async def test_repeats_carry_the_same_message_id(server: SmtpPeer) -> None:
    ids = {(await sender(server).send(outgoing())).external_ids[0] for _ in range(2)}
    assert len(ids) == 1
    assert threading.key_of(ids.pop(), SECRET) == outgoing().key


async def test_plus_addressing_makes_a_signed_way_back(server: SmtpPeer) -> None:
    sent = await sender(server, plus_addressing=True).send(outgoing())
    way_back = taken(server)["Reply-To"].addresses[0].addr_spec
    assert server.taken[0].sender == way_back
    assert one(mail(headers={"To": way_back})).references == sent.external_ids
    await sender(server).send(outgoing())
    assert taken(server)["Reply-To"] is None
    assert server.taken[1].sender == ADDRESS


async def test_attachments_arrive_byte_by_byte(server: SmtpPeer) -> None:
    data = bytes(range(256)) * 50
    await sender(server).send(
        outgoing(files=[file(data, "Счёт № 5.pdf", "application/pdf"), file(b"x", "a\r\nX: y", "what ever")])
    )
    first, second = taken(server).iter_attachments()
    assert (first.get_filename(), first.get_content_type(), first.get_content()) == (
        "Счёт № 5.pdf",
        "application/pdf",
        data,
    )
    assert second.get_content_type() == "application/octet-stream"
    assert b"\nX: y" not in server.taken[0].content


async def test_header_injection_is_impossible(server: SmtpPeer) -> None:
    meta = {
        "subject": "x\r\nBcc: evil@x.test",
        "message_id": "<a@b>\r\nBcc: evil@x.test",
        "references": ["<x\n>"],
        "from": CUSTOMER,
    }
    await sender(server, display_name="a\r\nBcc: evil@x.test", show_agent=True).send(
        outgoing(meta=meta, author="Eve\nBcc: evil@x.test")
    )
    assert taken(server)["Bcc"] is None
    assert server.taken[0].recipients == [CUSTOMER]
    assert taken(server)["In-Reply-To"] is None


async def test_reply_to_of_the_customer_is_obeyed_and_ours_is_not(server: SmtpPeer) -> None:
    meta = one(mail(headers={"Reply-To": "private@customer.test"})).meta
    await sender(server).send(outgoing(meta=meta))
    assert server.taken[0].recipients == ["private@customer.test"]
    meta = one(mail(headers={"Reply-To": ADDRESS})).meta
    await sender(server).send(outgoing(meta=meta))
    assert server.taken[1].recipients == [CUSTOMER]


async def test_international_addresses(server: SmtpPeer) -> None:
    await sender(server).send(outgoing(recipient="иван@пример.рф"))
    assert server.taken[0].recipients == ["иван@xn--e1afmkfd.xn--p1ai"]
    assert "SMTPUTF8" in server.taken[0].options
    with peers.serving(smtputf8=False) as old:
        with pytest.raises(Rejected) as caught:
            await sender(old).send(outgoing(recipient="иван@пример.рф"))
        assert caught.value.code == "no_smtputf8"
        await sender(old).send(outgoing(recipient="ivan@пример.рф"))


async def test_through_a_real_mailbox_and_back(dovecot: Dovecot) -> None:
    """What we send, a mail server stores; our own parser reads it as the customer would."""
    customer = dovecot.add_user()
    with peers.serving((dovecot.host, dovecot.lmtp_port)) as server:
        await sender(server).send(outgoing(recipient=customer, text="Привет"))
    with dovecot.client(customer) as client:
        content = client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"]
    box = EmailAdapter(Account(UUID(int=8), "", adapter(address=customer).settings, "", "another secret"))
    (event,) = box.parse(content)
    assert isinstance(event, InboundMessage)
    assert (event.text, event.sender.external_id, event.sender.name) == ("Привет", ADDRESS, "Магазин")


# --- failures -------------------------------------------------------------------------------

REFUSALS = [
    ("550 5.1.1 No such user", Rejected, "no_such_address"),
    ("550 5.7.1 Policy", Rejected, "refused"),
    ("450 4.2.0 Greylisted", RetryLater, "smtp_later"),
    ("452 4.2.2 Full", RetryLater, "smtp_later"),
    ("421 4.3.2 Shutting down", RetryLater, "smtp_later"),
    ("552 5.3.4 Too big", Rejected, "too_large"),
]


@pytest.mark.parametrize(("answer", "error", "code"), REFUSALS)
async def test_refused_recipient(
    server: SmtpPeer, answer: str, error: type[DeliveryError], code: str
) -> None:
    server.switches.refuse[CUSTOMER] = answer
    with pytest.raises(error) as caught:
        await sender(server).send(outgoing())
    assert caught.value.code == code
    assert getattr(caught.value, "unreachable", None) in ((code == "no_such_address"), None)
    assert server.taken == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [("554 5.7.1 Spam", Rejected), ("451 4.3.0 Later", RetryLater), ("552 5.3.4 Big", Rejected)],
)
async def test_refused_mail(server: SmtpPeer, answer: str, error: type[DeliveryError]) -> None:
    server.switches.refuse_data = answer
    with pytest.raises(error) as caught:
        await sender(server).send(outgoing())
    assert not getattr(caught.value, "unreachable", False)


async def test_refused_copy_is_told_and_the_customer_gets_his_mail(server: SmtpPeer) -> None:
    meta = one(mail(headers={"Cc": f"Boss <boss@customer.test>, bad@customer.test, {ADDRESS}"})).meta
    server.switches.refuse["bad@customer.test"] = "550 5.1.1 No such user"
    sent = await sender(server, answer_all=True).send(outgoing(meta=meta))
    assert server.taken[0].recipients == [CUSTOMER, "boss@customer.test"]
    assert "bad@customer.test" in sent.note
    await sender(server).send(outgoing(meta=meta))
    assert server.taken[1].recipients == [CUSTOMER]
    server.switches.refuse[CUSTOMER] = "550 5.1.1 No such user"
    with pytest.raises(Rejected):
        await sender(server, answer_all=True).send(outgoing(meta=meta))
    assert len(server.taken) == 2


@pytest.mark.parametrize("switch", ["drop_after_data", "silent_after_data"])
async def test_lost_answer_is_an_unknown_outcome(server: SmtpPeer, switch: str) -> None:
    setattr(server.switches, switch, True)
    with pytest.raises(OutcomeUnknown):
        await sender(server, http={"timeout": 0.5}).send(outgoing())
    assert len(server.taken) == 1


async def test_connection_lost_before_the_mail_is_for_later(server: SmtpPeer) -> None:
    server.switches.drop_at_rcpt = True
    with pytest.raises(RetryLater):
        await sender(server).send(outgoing())
    assert server.taken == []


async def test_no_server_is_for_later() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RetryLater):
            await adapter(smtp_port=closed.getsockname()[1], smtp_tls="none").send(outgoing())


async def test_wrong_password_is_unauthorized_and_says_no_secret(server: SmtpPeer) -> None:
    box = sender(server, smtp_password="hunter2 wrong")
    with pytest.raises(Unauthorized) as caught:
        await box.send(outgoing())
    assert "hunter2" not in f"{caught.value!r} {caught.value.reason} {box.settings!r}"


async def test_password_outside_of_ascii_and_missing_certificates(server: SmtpPeer) -> None:
    with pytest.raises(DeliveryError) as caught:
        await sender(server, smtp_password="пароль").send(outgoing())
    assert "п" not in caught.value.reason.removeprefix("The SMTP server")
    with pytest.raises(Rejected) as refused:
        await sender(server, smtp_tls="ssl", http={"ca_bundle": "/nowhere"}).send(outgoing())
    assert refused.value.code == "ca_bundle"


async def test_missing_login_is_unauthorized(server: SmtpPeer) -> None:
    with pytest.raises(Unauthorized):
        await sender(server, smtp_auth=False).send(outgoing())


async def test_busy_login_is_for_later(server: SmtpPeer) -> None:
    server.switches.refuse_login = "454 4.7.0 Temporary authentication failure"
    with pytest.raises(RetryLater):
        await sender(server).send(outgoing())


async def test_too_large_is_refused_before_it_travels() -> None:
    with peers.serving(size_limit=100_000) as small, pytest.raises(Rejected) as caught:
        await sender(small).send(outgoing(files=[file(b"x" * 200_000, "a.bin", "application/zip")]))
    assert caught.value.code == "too_large"


async def test_no_valid_recipient_is_rejected(server: SmtpPeer) -> None:
    for recipient in ("", "nobody", "a b@c.test", "a@b@", "a@b.test, c@d.test"):
        with pytest.raises(Rejected):
            await sender(server).send(outgoing(recipient=recipient))
    assert server.taken == []


async def test_tls_is_asked_for_when_set(server: SmtpPeer) -> None:
    for tls in ("ssl", "starttls"):
        with pytest.raises(RetryLater):
            await sender(server, smtp_tls=tls, http={"timeout": 1}).send(outgoing())
    assert server.logins == []
    assert ssl.HAS_SNI


async def test_check_makes_both_calls(dovecot: Dovecot, server: SmtpPeer) -> None:
    address = dovecot.add_user()
    values = {
        "address": address,
        "imap_port": dovecot.imap_port,
        "imap_tls": "none",
        "imap_password": PASSWORD,
    }
    info = await sender(server, **values).check()
    assert (info.title, info.external_id) == (address, address)
    assert info.facts["idle"] is True
    assert server.logins == [address]
    for wrong in ({"imap_password": "x", "smtp_password": PASSWORD}, {"smtp_password": "x"}):
        with pytest.raises(Unauthorized):
            await sender(server, **(values | wrong)).check()


def test_settings_are_checked() -> None:
    assert adapter(address="Help@Пример.РФ").settings.address == "help@xn--e1afmkfd.xn--p1ai"
    for wrong in (
        {"address": "nobody"},
        {"imap_port": 0},
        {"http": {"proxy": "http://p:1"}},
        {"idle_seconds": 3000},
    ):
        with pytest.raises(ValidationError):
            adapter(**wrong)
