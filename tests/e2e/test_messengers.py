"""The same story in Telegram and VK, by long poll and by webhook, and through an API channel.

The program is the real one, the platforms are the faithful fakes; what the consoles would show is read
from the feed.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.desk import Desk, signed_in, working
from tests.e2e.platforms import OGG, PNG, Platform, Vk, connected
from tests.e2e.program import Program
from tests.fakes.callback import FakeCallback
from tests.helpers import eventually

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
WAYS = [("telegram", "poll"), ("telegram", "webhook"), ("vk", "poll"), ("vk", "webhook")]
NEW = "a better password of ours"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(program: Program) -> AsyncIterator[Desk]:
    """The administrator at work: he signs in once, and chooses a password as he must."""
    session = await signed_in(program.address, program.email, program.password, new_password=NEW)
    async with working(program.address, session) as desk:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=WAYS, ids="-".join)
async def line(request: pytest.FixtureRequest, desk: Desk) -> AsyncIterator[Platform]:
    async with connected(desk, *request.param) as (platform, _channel_id):
        yield platform


@pytest.fixture
def way(line: Platform, desk: Desk) -> Platform:
    """A connected platform with a customer who never wrote before, and an agent who saw nothing yet."""
    line.begin_anew()
    desk.forget()
    return line


async def dialog_of(desk: Desk, message: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The message's dialog, as soon as the feed tells `values` of it."""
    found: dict[str, Any] = await desk.sees(
        "dialog",
        lambda one: one["id"] == message["dialog_id"] and all(one[name] == values[name] for name in values),
    )
    return found


async def arrived(platform: Platform, *texts: str) -> None:
    """These texts are with customers, in this order, each once."""

    def same() -> bool:
        assert platform.texts() == list(texts)
        return True

    await eventually(same, 25)


async def test_the_story(desk: Desk, way: Platform) -> None:
    """Written, answered with a quotation, entrusted, done, closed, and opened again by the customer."""
    number = way.writes("Где мой заказ?")
    question = await desk.sees_message("Где мой заказ?", direction="in")
    dialog = await dialog_of(desk, question, status="open")
    assert dialog["waiting_since"] is not None
    await desk.sees("customer", lambda one: one["name"] in ("Анна Смирнова", "Пётр Иванов"))
    answer = await desk.answer(dialog["id"], "Смотрим.", reply_to_id=question["id"])
    await arrived(way, "Смотрим.")
    assert way.quotes() == [number]
    await desk.sees_message("Смотрим.", id=answer["id"], status="sent")
    if way.reads():
        await desk.sees_message("Смотрим.", id=answer["id"], status="read")
    assert (await dialog_of(desk, question, waiting_since=None))["task_count"] == 0

    task = await desk.call("POST", "/tasks", title="Найти заказ", message_ids=[question["id"]])
    await dialog_of(desk, question, task_count=1)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await desk.call("POST", f"/dialogs/{dialog['id']}/snooze", until=later)
    await dialog_of(desk, question, status="snoozed")
    await desk.call("PATCH", f"/tasks/{task['id']}", status="done")
    await desk.sees("task", lambda one: one["id"] == task["id"] and one["status"] == "done")
    await dialog_of(desk, question, status="open", task_count=0)
    line = await desk.sees("message", lambda one: one["meta"].get("kind") == "task.finished")
    assert (line["direction"], line["meta"]["task_id"]) == ("system", task["id"])

    await desk.answer(dialog["id"], "Нашли!")
    await arrived(way, "Смотрим.", "Нашли!")
    await desk.call("POST", f"/dialogs/{dialog['id']}/close")
    await dialog_of(desk, question, status="closed")
    way.writes("Спасибо!")
    thanks = await desk.sees_message("Спасибо!", direction="in")
    assert thanks["dialog_id"] == dialog["id"]
    await dialog_of(desk, question, status="open", inbound_count=2)
    directions = [one["direction"] for one in await desk.thread(question["customer_id"])]
    assert directions == ["in", "out", "system", "system", "out", "in"]


async def test_pictures_and_voice(desk: Desk, way: Platform) -> None:
    """In and out, byte by byte."""
    for kind, content in (("image", PNG), ("voice", OGG)):
        way.sends(kind, content)
        message = await desk.sees(
            "message", lambda one, kind=kind: [a["kind"] for a in one["attachments"]] == [kind]
        )

        def stored(id: str = message["id"]) -> dict[str, Any] | None:
            attachment: dict[str, Any] = desk.seen["message"][id]["attachments"][0]
            return attachment if attachment["state"] == "stored" else None

        attachment = await eventually(stored, 25)
        assert await desk.download(attachment["id"]) == content
    picture = await desk.upload("tea.png", PNG, "image/png")
    voice = await desk.upload("voice-message.ogg", OGG, "audio/ogg")
    for attachment_id in (picture, voice):
        sent = await desk.answer(message["dialog_id"], attachment_ids=[attachment_id])
        await desk.sees("message", lambda one, id=sent["id"]: one["id"] == id and one["status"] == "sent")
    assert [file.content for file in way.files()] == [PNG, OGG]


async def test_a_deep_link_joins_two_contacts_to_one_customer(desk: Desk) -> None:
    async with (
        connected(desk, "telegram", "poll") as (telegram, _),
        connected(desk, "vk", "webhook") as (vk, at),
    ):
        telegram.writes("Пишу из Telegram", user=7001)
        first = await desk.sees_message("Пишу из Telegram")
        link = await desk.call("POST", f"/customers/{first['customer_id']}/link-tokens", channel_id=at)
        vk.starts(link["url"].rpartition("=")[2], user=8001)
        vk.writes("А теперь из VK", user=8001)
        second = await desk.sees_message("А теперь из VK")
        assert second["customer_id"] == first["customer_id"]
        assert second["dialog_id"] == first["dialog_id"]
        card = await desk.call("GET", f"/customers/{first['customer_id']}")
        kinds = {identity["kind"]: identity["external_id"] for identity in card["identities"]}
        assert kinds == {"telegram": "7001", "vk": "8001"}
        await desk.answer(first["dialog_id"], "Отвечаю, где вы писали последним.")
        await arrived(vk, "Отвечаю, где вы писали последним.")
        vk.starts(link["url"].rpartition("=")[2], user=8002)  # the link is used up
        vk.writes("Я другой", user=8002)
        assert (await desk.sees_message("Я другой"))["customer_id"] != first["customer_id"]


async def test_a_lost_reply_is_told_or_mended(desk: Desk, way: Platform) -> None:
    """Where the platform knows a repeat by its key there is one copy; else the agent is told, and decides."""
    way.writes("Алло?")
    question = await desk.sees_message("Алло?")
    way.fake.fail_next("lost_reply", method=way.send_method)
    answer = await desk.answer(question["dialog_id"], "Слышим вас.")
    if isinstance(way, Vk):
        await desk.sees_message("Слышим вас.", id=answer["id"], status="sent")
        await arrived(way, "Слышим вас.")
        return
    unsure = await desk.sees_message("Слышим вас.", id=answer["id"], status="unknown")
    assert unsure["error"]
    await arrived(way, "Слышим вас.")
    again = await desk.call("POST", f"/messages/{answer['id']}/resend")
    await desk.sees_message("Слышим вас.", id=again["id"], status="sent")
    await arrived(way, "Слышим вас.", "Слышим вас.")


async def test_a_busy_platform_gets_all_in_order(desk: Desk, way: Platform) -> None:
    way.writes("Вопрос")
    question = await desk.sees_message("Вопрос")
    way.is_busy()
    for text in ("Один.", "Два.", "Три."):
        await desk.answer(question["dialog_id"], text)
    await arrived(way, "Один.", "Два.", "Три.")


async def test_who_blocked_us_is_not_written_to(desk: Desk, way: Platform) -> None:
    way.writes("Отстаньте")
    question = await desk.sees_message("Отстаньте")
    way.fake.fail_next("forbidden", method=way.send_method)
    answer = await desk.answer(question["dialog_id"], "Но почему?")
    failed = await desk.sees_message("Но почему?", id=answer["id"], status="failed")
    assert failed["error"]
    refused = await desk.call(
        "POST", f"/dialogs/{question['dialog_id']}/messages", 409,
        client_key="another one of ours", text="И всё же?",
    )  # fmt: skip
    assert refused["code"] == "identity_unreachable"
    way.writes("Передумал")
    await desk.sees_message("Передумал")
    await desk.answer(question["dialog_id"], "Рады.")
    await arrived(way, "Рады.")


@pytest.mark.parametrize("transport", ["poll", "webhook"])
async def test_what_else_people_do_in_vk(desk: Desk, transport: str) -> None:
    """Typing, buttons, reactions, changes and what is taken back, through the whole program."""
    async with connected(desk, "vk", transport) as (vk, _):
        assert isinstance(vk, Vk)
        user = 9500 + len(transport)  # people are the same in all communities
        desk.forget()
        vk.writes("Есть улун?", user)
        question = await desk.sees_message("Есть улун?", direction="in")
        dialog_id = question["dialog_id"]
        vk.fake.customer_types(user)
        typing = {"lane": "typing", "dialog_id": dialog_id, "customer": True, "note": False}
        await eventually(lambda: typing in desk.lane, 25)
        buttons = [[{"text": "Беру", "data": "take"}]]
        answer = await desk.answer(dialog_id, "Есть.", buttons=buttons)
        sent = await desk.sees_message("Есть.", id=answer["id"], status="sent")
        vk.fake.customer_presses("Беру", user_id=user)
        pressed = await desk.sees_message("Беру", direction="in")
        assert pressed["meta"]["pressed"] == "Беру"
        await eventually(lambda: [press[1:] for press in vk.fake.answered] == [(user, user)], 25)
        vk.fake.customer_reacts(2, 4, user_id=user)
        await desk.sees("message", lambda one: [r["emoji"] for r in one["reactions"]] == ["👍"])
        await desk.call("PATCH", f"/messages/{sent['id']}", text="Есть, 900 ₽.")
        await desk.sees_message("Есть, 900 ₽.", id=sent["id"])
        assert vk.fake.messages[user][1]["text"] == "Есть, 900 ₽."
        await desk.call("PUT", f"/messages/{question['id']}/reaction", emoji="🔥")
        await eventually(lambda: vk.fake.reactions == {(user, 1): 2}, 25)
        await desk.call("DELETE", f"/messages/{sent['id']}")
        await desk.sees("message", lambda one: one["id"] == sent["id"] and one["deleted_at"])
        assert vk.fake.messages[user][1]["deleted"]
        await desk.call("POST", f"/dialogs/{dialog_id}/read", inbound_count=2)
        await eventually(lambda: user in vk.fake.read_up_to, 25)


async def test_an_api_channel_takes_and_gives(desk: Desk) -> None:
    """A bot posts with a token of its own, twice the same; the answer comes as a signed call, once."""
    async with FakeCallback("a secret of both sides") as service:
        settings = {"callback_url": f"{service.url}/hook", "signing_secret": service.secret}
        channel = await desk.call("POST", "/channels", kind="api", name="Бот", settings=settings)
        token = (await desk.call("POST", "/tokens", name="bot", scopes=["inbound"]))["token"]
        posted = {"event_id": "e1", "sender": {"external_id": "c7", "name": "Вера"}, "text": "Через бота"}
        for duplicate in (False, True):
            answer = await desk.http.post(
                f"/channels/{channel['id']}/inbound",
                json=posted,
                headers={"Authorization": f"Bearer {token}", "Cookie": ""},
            )
            assert (answer.status_code, answer.json()["duplicate"]) == (202, duplicate)
        question = await desk.sees_message("Через бота")
        assert (await dialog_of(desk, question))["customer"]["name"] == "Вера"
        service.fail_next("lost_reply", method="hook")
        await desk.answer(question["dialog_id"], "Через вас же")
        await desk.sees_message("Через вас же", status="sent")
        (sent,) = service.sent
        assert sent.genuine
        assert sent.data["text"] == "Через вас же"
        assert len(await desk.thread(question["customer_id"])) == 2


async def test_a_killed_worker_loses_and_doubles_nothing(desk: Desk, program: Program) -> None:
    """Kill -9 in the middle of twenty questions and twenty answers."""
    async with connected(desk, "vk", "poll") as (vk, _):
        vk.writes("Начнём")
        first = await desk.sees_message("Начнём")
        wanted = [f"Ответ {number}" for number in range(20)]
        for text in wanted:
            await desk.answer(first["dialog_id"], text)
            vk.writes(f"Вопрос к «{text}»")
        await eventually(lambda: len(vk.texts()) >= 3, 25)
        worker = program.child("work")
        worker.kill()
        worker.wait(10)
        await program.leases_end()
        await arrived(vk, *wanted)
        for text in wanted:
            await desk.sees_message(text, status="sent")
            await desk.sees_message(f"Вопрос к «{text}»")
        said = [one["text"] for one in await desk.thread(first["customer_id"])]
        assert len(said) == len(set(said)) == 41
