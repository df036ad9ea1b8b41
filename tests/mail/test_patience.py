"""Servers that ask to come again, and machines that answer machines."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.channels.mail import mail
from tests.dialogs.desk import Desk
from tests.mail.conftest import Box

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEFT = "select next_attempt_at - now() from messages where id = $1"


async def test_a_greylisting_server_is_asked_again_later_and_later(desk: Desk, box: Box) -> None:
    row = await box.hears("Anna <grey@customer.test>")
    box.server.switches.refuse = {"grey@customer.test": "450 4.7.1 Greylisted, try again later"}
    shown = await box.answers(row["dialog_id"])
    for minutes in (1, 5, 15, 60, 60):
        left = await desk.value(LEFT, UUID(shown["id"]))
        assert timedelta(minutes=minutes * 0.5) < left <= timedelta(minutes=minutes)
        shown = await box.shown(shown["id"])
        assert (shown["status"], shown["error_code"]) == ("queued", "smtp_later")
        assert "Greylisted" in shown["error"]
        await desk.again()
        await desk.send()
    box.server.switches.refuse = {}
    await desk.again()
    await desk.send()
    assert (await box.shown(shown["id"]))["status"] == "sent"
    assert len(box.server.taken) == 1


async def test_a_storm_of_automatic_answers_ends_in_one_dialog_and_no_mail(desk: Desk, box: Box) -> None:
    fields = {"From": "robot@loop.test", "To": box.address, "Auto-Submitted": "auto-replied"}
    for number in range(50):
        await box.gets(mail("I am away", headers=fields | {"Message-ID": f"<loop{number}@loop.test>"}))
    found = await desk.rows(
        "select d.status, d.waiting_since from dialogs d join identities i using (customer_id) "
        "where i.external_id = 'robot@loop.test'"
    )
    assert len(found) == 1
    assert found[0]["waiting_since"] is None, "somebody is made to think that a person waits"
    assert box.server.taken == []
