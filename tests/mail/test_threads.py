"""Whose thread a mail joins, why, and who is not the customer."""

from typing import Any

import pytest

from tests.channels.mail import mail
from tests.dialogs.desk import Desk
from tests.mail.conftest import Box, connect

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begun(box: Box, who: str) -> tuple[dict[str, Any], str]:
    """A customer's mail and our answer's Message-ID."""
    row = await box.hears(f"Anna <{who}>")
    await box.answers(row["dialog_id"])
    return row, str(box.taken()["Message-ID"])


async def test_a_strangers_answer_joins_the_thread_and_stays_a_stranger(desk: Desk, box: Box) -> None:
    row, ours = await begun(box, "anna@join.test")
    joined = await box.hears("Boss <boss@join.test>", "I agree", In_Reply_To=ours, References=ours)
    assert joined["customer_id"] == row["customer_id"]
    assert joined["dialog_id"] == row["dialog_id"]
    shown = await box.shown(str(joined["id"]))
    assert shown["meta"]["participant"] == {"name": "Boss", "email": "boss@join.test"}
    assert shown["meta"]["threaded_by"] == "message-id"
    own = await desk.value("select customer_id from identities where external_id = 'boss@join.test'")
    assert own not in (None, row["customer_id"]), "the stranger's contact became the customer's"
    await box.answers(row["dialog_id"])
    assert box.server.taken[-1].recipients == ["anna@join.test"], "the answer went to the stranger"
    later = await box.hears("Boss <boss@join.test>", "Another matter")
    assert later["customer_id"] == own, "his own matter is his own"


async def test_ways_into_a_thread(box: Box) -> None:
    row, ours = await begun(box, "anna@ways.test")
    first = (await box.shown(str(row["id"])))["meta"]["message_id"]
    signed = f"{box.address.replace('@', '+' + ours.strip('<>').partition('@')[0] + '@')}"
    ways = {
        "token": {"To": signed},
        "message-id": {"References": f"{ours} <foreign@x.test>", "In-Reply-To": "<crm@x.test>"},
        "reference": {"In-Reply-To": first},
    }
    for number, (why, headers) in enumerate(ways.items()):
        fields = {"From": f"s{number}@ways.test", "To": box.address, "Message-ID": f"<w{number}@ways.test>"}
        got = await box.gets(mail(f"Way {number}", headers=fields | headers))
        assert got is not None
        assert got["customer_id"] == row["customer_id"], why
        assert (await box.shown(str(got["id"])))["meta"]["threaded_by"] == why


@pytest.mark.parametrize(
    "headers",
    [
        {"Subject": "Re: Order 4711"},
        {"In-Reply-To": "<nobody@knows.test>"},
        {"In-Reply-To": "<otk-1z-0123456789abcdef@shop.test>"},
    ],
    ids=["bare subject", "unknown id", "forged id"],
)
async def test_what_is_no_way_into_a_thread(box: Box, headers: dict[str, str]) -> None:
    row, _ = await begun(box, "anna@noway.test")
    who = f"x{len(headers['Subject' if 'Subject' in headers else 'In-Reply-To'])}@noway.test"
    got = await box.gets(
        mail("Hello", headers={"From": who, "To": box.address, "Message-ID": f"<{who}>"} | headers)
    )
    assert got is not None
    assert got["customer_id"] != row["customer_id"]


async def test_the_customers_own_answer_is_no_strangers(box: Box) -> None:
    row, ours = await begun(box, "anna@own.test")
    got = await box.hears("Anna <anna@own.test>", "Thanks", In_Reply_To=ours)
    meta = (await box.shown(str(got["id"])))["meta"]
    assert meta["threaded_by"] == "message-id"
    assert "participant" not in meta
    assert "signed" not in meta
    assert got["customer_id"] == row["customer_id"]


async def test_a_mailbox_knows_nothing_of_the_mails_of_another(desk: Desk, box: Box) -> None:
    other = await connect(desk, box.server)
    row, ours = await begun(box, "anna@two.test")
    got = await other.hears("Eve <eve@two.test>", "Hello", In_Reply_To=ours)
    assert got["customer_id"] != row["customer_id"]
