"""What an agent is told of a message beside its status: a channel at rest, a copy that was refused."""

from typing import Any

import pytest

from app.core import facts
from channels.base import Echo, OutgoingMessage, Sender, Sent, Unauthorized
from tests.dialogs.desk import Chat, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def shown(desk: Desk, message: Any) -> Any:
    path = f"/customers/{message['customer_id']}/messages"
    items = (await desk.anna.get(path)).json()["items"]
    return next(item for item in items if item["id"] == message["id"])


async def set_state(desk: Desk, chat: Chat, state: str) -> None:
    await desk.db.raw.execute("update channels set state = $2 where id = $1", chat.id, state)


@pytest.mark.parametrize("state", ["paused", "stopped"])
async def test_a_message_for_a_channel_at_rest_waits_and_says_so(desk: Desk, state: str) -> None:
    chat = await desk.chat()
    first = await chat.write(f"patient-{state}")
    await set_state(desk, chat, state)
    answer = await desk.answer(first["dialog_id"])
    assert (answer["status"], answer["error_code"]) == ("queued", "channel_paused")
    assert answer["error"]
    await desk.send()
    assert (await shown(desk, answer))["error_code"] == "channel_paused"
    assert chat.adapter.calls == []
    await set_state(desk, chat, "active")
    assert (await shown(desk, answer))["error_code"] is None
    await desk.send()
    told = await shown(desk, answer)
    assert (told["status"], told["error_code"], told["error"]) == ("sent", None, None)


async def test_messages_that_were_queued_before_the_pause_say_so_too(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("early")
    answer = await desk.answer(first["dialog_id"])
    note = await desk.answer(first["dialog_id"], "for us", direction="note")
    assert answer["error_code"] is None
    await set_state(desk, chat, "paused")
    assert (await shown(desk, answer))["error_code"] == "channel_paused"
    assert (await shown(desk, note))["error_code"] is None


async def test_the_reason_of_a_stopped_channel_is_not_hidden(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("revoked")

    async def refuse(message: OutgoingMessage) -> Sent:
        raise Unauthorized("The token was revoked.", code="unauthorized")

    chat.adapter.answer = refuse
    answer = await desk.answer(first["dialog_id"])
    await desk.send()
    told = await shown(desk, answer)
    assert (told["status"], told["error_code"]) == ("queued", "unauthorized")


async def test_what_went_wrong_beside_is_shown(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("copied")

    async def partly(message: OutgoingMessage) -> Sent:
        return Sent(["1"], note="Not taken for: boss@example.org")

    chat.adapter.answer = partly
    answer = await desk.answer(first["dialog_id"])
    await desk.send()
    told = await shown(desk, answer)
    assert (told["status"], told["meta"]["note"]) == ("sent", "Not taken for: boss@example.org")


async def test_what_went_wrong_beside_is_shown_when_an_echo_was_quicker(desk: Desk) -> None:
    chat = await desk.chat()
    first = await chat.write("echoed")

    async def partly(message: OutgoingMessage) -> Sent:
        await chat.hear(
            Echo("echoed", "e1", text=message.text, key=message.key, recipient=Sender("", "echoed"))
        )
        return Sent(["e1"], note="Not taken for: boss@example.org")

    chat.adapter.answer = partly
    answer = await desk.answer(first["dialog_id"])
    before = await facts.head(desk.db.raw)
    await desk.send()
    told = await shown(desk, answer)
    assert (told["status"], told["meta"]["note"]) == ("sent", "Not taken for: boss@example.org")
    await desk.horizon()
    news = [
        row.data["status"] for row in await facts.read(desk.db.raw, before) if row.type == "message.status"
    ]
    assert news[-2:] == ["sent", "sent"]  # the second brings the note to the consoles
