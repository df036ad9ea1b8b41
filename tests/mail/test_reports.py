"""What mail servers report becomes of our very message: failed, delayed, a lost copy, unwanted."""

from typing import Any

import pytest

from tests.channels.mail import raw
from tests.mail.conftest import Box

pytestmark = pytest.mark.asyncio(loop_scope="module")


def report(
    box: Box, who: str, *, action: str = "failed", status: str = "5.1.1", returned: str = "", kind: str = ""
) -> bytes:
    about = f"Final-Recipient: rfc822; {who}\nAction: {action}\nStatus: {status}\n"
    return raw(
        f"From: MAILER-DAEMON@mx.test\nTo: {box.address}\nSubject: Report {who} {action}\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={kind or "delivery-status"}; boundary="b"',
        f"--b\nContent-Type: text/plain\n\nwords\n--b\nContent-Type: message/{kind or 'delivery-status'}\n\n"
        f"Reporting-MTA: dns; mx.test\n\n{about}Diagnostic-Code: smtp; {status} said no\n"
        f"--b\nContent-Type: text/rfc822-headers\n\n{returned}\n--b--\n".encode(),
    )


async def sent(box: Box, who: str, **mail: Any) -> tuple[Any, str]:
    """An answer that has left; and its headers, as bounces return them."""
    row = await box.hears(f"Anna <{who}>")
    shown = await box.answers(row["dialog_id"], mail=mail or None)
    left = box.taken()
    fields = "".join(f"{name}: {left[name]}\n" for name in ("To", "Cc", "Message-ID") if left[name])
    return shown, fields


async def test_a_bounce_of_the_customer_fails_the_message(box: Box) -> None:
    message, returned = await sent(box, "gone1@customer.test", cc=["boss1@customer.test"])
    await box.gets(report(box, "gone1@customer.test", returned=returned))
    shown = await box.shown(message["id"])
    assert (shown["status"], shown["error_code"]) == ("failed", "bounced")
    assert "5.1.1 said no" in shown["error"]


@pytest.mark.parametrize("keep", [True, False], ids=["headers returned", "Message-ID alone"])
async def test_a_bounce_of_a_copy_is_a_note(box: Box, keep: bool) -> None:
    message, returned = await sent(box, f"kept{keep}@customer.test", cc=["gone2@customer.test"])
    if not keep:
        returned = returned[returned.index("Message-ID") :]
    await box.gets(report(box, "gone2@customer.test", returned=returned))
    shown = await box.shown(message["id"])
    assert shown["status"] == "sent", "the customer has it"
    assert shown["meta"]["note"] == "gone2@customer.test: 5.1.1 said no"


async def test_a_delay_is_noted_and_a_later_failure_still_fails(box: Box) -> None:
    message, returned = await sent(box, "slow@customer.test")
    await box.gets(report(box, "slow@customer.test", action="delayed", status="4.4.1", returned=returned))
    shown = await box.shown(message["id"])
    assert (shown["status"], shown["meta"]["note"]) == ("sent", "Delayed: 4.4.1 said no")
    await box.gets(report(box, "slow@customer.test", status="5.4.7", returned=returned))
    shown = await box.shown(message["id"])
    assert (shown["status"], shown["meta"]["note"]) == ("failed", "Delayed: 4.4.1 said no")


async def test_a_complaint_is_noted(box: Box) -> None:
    message, returned = await sent(box, "angry@customer.test")
    await box.gets(report(box, "angry@customer.test", returned=returned, kind="feedback-report"))
    shown = await box.shown(message["id"])
    assert shown["status"] == "sent"
    assert "unwanted" in shown["meta"]["note"]
