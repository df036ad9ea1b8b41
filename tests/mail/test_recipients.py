"""Answering mail: to whom, in copy, under which subject; passing it on."""

from email.message import EmailMessage
from typing import Any

import pytest

from dialogs import media
from tests.dialogs.desk import Desk
from tests.mail.conftest import Box

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_answer_goes_to_whom_the_agent_chose(box: Box) -> None:
    row = await box.hears("Anna <a1@customer.test>", Subject="Order", Cc="boss@customer.test")
    shown = await box.answers(
        row["dialog_id"],
        "Done",
        mail={
            "to": ["a1@customer.test", "a2@customer.test"],
            "cc": ["Boss@Customer.test"],
            "bcc": ["audit@shop.test", "a1@customer.test"],
            "subject": "Order 12 is done",
        },
    )
    assert shown["status"] == "sent"
    assert shown["meta"]["mail"]["cc"] == ["Boss@Customer.test"]
    sent = box.taken()
    assert sent["To"] == "a1@customer.test, a2@customer.test"
    assert (sent["Cc"], sent["Bcc"]) == ("boss@customer.test", None)
    assert sent["Subject"] == "Order 12 is done"
    assert sent["In-Reply-To"], "an answer with another subject is still an answer"
    everybody = ["a1@customer.test", "a2@customer.test", "boss@customer.test", "audit@shop.test"]
    assert box.server.taken[-1].recipients == everybody


async def test_an_answer_without_a_choice_goes_to_the_customer_alone(box: Box) -> None:
    row = await box.hears("Anna <alone@customer.test>", Cc="boss@customer.test")
    await box.answers(row["dialog_id"])
    assert box.server.taken[-1].recipients == ["alone@customer.test"]


async def test_a_mail_is_passed_on_with_its_files(desk: Desk, box: Box) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "f@customer.test", box.address, "Broken"
    letter["Message-ID"] = "<broken@customer.test>"
    letter.set_content("It is broken")
    letter.add_attachment(b"%PDF-1.4 bill", maintype="application", subtype="pdf", filename="bill.pdf")
    row = await box.gets(letter.as_bytes())
    assert row is not None
    await fetched(desk)
    shown = await box.answers(
        row["dialog_id"],
        "See below",
        reply_to_id=str(row["id"]),
        mail={"to": ["supplier@parts.test"], "forward": True},
    )
    assert [file["name"] for file in shown["attachments"]] == ["bill.pdf"]
    sent = box.taken()
    assert (sent["To"], sent["Subject"]) == ("supplier@parts.test", "Fwd: Broken")
    assert sent["In-Reply-To"] is None
    assert sent["References"] is None
    (file,) = sent.iter_attachments()
    assert file.get_content() == b"%PDF-1.4 bill"
    assert box.server.taken[-1].recipients == ["supplier@parts.test"], "the customer got it"


async def test_a_refused_copy_is_noted_and_a_refused_supplier_is_not_the_customers_fault(
    desk: Desk, box: Box
) -> None:
    row = await box.hears("Anna <kept@customer.test>")
    box.server.switches.refuse = {"gone@parts.test": "550 5.1.1 No such user"}
    shown = await box.answers(
        row["dialog_id"], mail={"to": ["kept@customer.test"], "cc": ["gone@parts.test"]}
    )
    assert shown["status"] == "sent"
    assert "gone@parts.test (550 5.1.1 No such user)" in shown["meta"]["note"]
    shown = await box.answers(row["dialog_id"], mail={"to": ["gone@parts.test"]})
    assert (shown["status"], shown["error_code"]) == ("failed", "no_such_address")
    reachable = "select reachable from identities where external_id = 'kept@customer.test'"
    assert await desk.value(reachable)
    shown = await box.answers(row["dialog_id"], mail={"to": ["gone@parts.test", "kept@customer.test"]})
    assert shown["status"] == "sent", "one of two was taken"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mail": {"to": ["no address"]}}, 422),
        ({"mail": {"to": ["a@b.test\r\nBcc: x@y.test"]}}, 422),
        ({"mail": {"to": [f"a{n}@b.test" for n in range(51)]}}, 422),
        ({"mail": {"forward": True, "to": ["a@b.test"]}}, 400),
        ({"mail": {"cc": ["a@b.test"]}, "direction": "note"}, 400),
        ({"mail": {"unknown": 1}}, 422),
    ],
)
async def test_what_is_no_choice_is_refused(
    desk: Desk, box: Box, change: dict[str, Any], status: int
) -> None:
    row = await box.hears()
    answer = await desk.post(row["dialog_id"], **change)
    assert answer.status_code == status, answer.text


async def test_channels_that_are_no_mail_know_no_copies(desk: Desk) -> None:
    chat = await desk.chat("api")
    row = await chat_row(desk, chat)
    answer = await desk.post(row["dialog_id"], mail={"cc": ["a@b.test"]})
    assert answer.status_code == 400
    assert "Only mail has copies" in answer.json()["detail"]


async def chat_row(desk: Desk, chat: Any) -> dict[str, Any]:
    admin = desk.world.clients["admin"]
    body = {"event_id": "1", "sender": {"external_id": "x"}, "text": "Hello"}
    answer = await admin.post(f"/channels/{chat.id}/inbound", json=body)
    assert answer.status_code == 202, answer.text
    await desk.understand()
    return await desk.row("select * from messages where channel_id = $1", chat.id)


async def fetched(desk: Desk) -> None:
    state = desk.world.app.state
    await media.drain(desk.db, desk.gateway, state.files, state.settings)
