"""A visit through the doors: session, message, answer, receipts."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.agents import viewer
from app.web.widget_hub import hub
from channels.models import Inbound
from dialogs import access, linking
from dialogs.models import Customer, Dialog, Identity, Message
from tests.helpers import eventually
from tests.widget.site import Site


async def test_a_message_comes_into_the_thread(site: Site) -> None:
    visitor = await site.visitor(name="Вера", email="vera@example.test", locale="ru")
    key = str(uuid4())
    answer = await visitor.post("Здравствуйте", key=key, page="https://shop.test/tea")
    assert answer.status_code == 201
    echo = answer.json()
    assert (echo["from"], echo["text"], echo["client_key"], echo["seq"]) == (
        "visitor",
        "Здравствуйте",
        key,
        0,
    )

    await site.understand()
    (message,) = await site.thread()
    assert (message.text, message.external_id, message.chat) == ("Здравствуйте", key, visitor.id)
    assert message.meta["page"] == "https://shop.test/tea"
    async with site.db.transaction() as session:
        customer = (await session.scalars(select(Customer))).one()
        identity = (await session.scalars(select(Identity))).one()
    assert (customer.name, customer.email, customer.locale) == ("Вера", "vera@example.test", "ru")
    assert (identity.scope, identity.external_id) == (str(site.channel_id), visitor.id)
    (shown,) = await visitor.history()
    assert (shown["client_key"], shown["seq"], shown["id"]) == (key, message.seq, str(message.id))


async def test_the_inbox_is_woken_after_the_commit(site: Site) -> None:
    stored = []

    def wake(*_: str) -> None:
        stored.append(True)

    site.app.state.inbox_wake = wake
    visitor = await site.visitor()
    await visitor.post("hello")
    assert stored == [True]
    assert [row.state for row in await site.raw()] == ["new"]


async def test_the_same_message_sent_again_is_stored_once(site: Site) -> None:
    visitor = await site.visitor()
    upload = (await visitor.upload("a.txt", b"text")).json()
    key = str(uuid4())
    first = await visitor.post("once", key=key, attachment_ids=[upload["id"]])
    await site.understand()
    again = await visitor.post("once", key=key, attachment_ids=[upload["id"]])
    await site.understand()
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["text"] == "once"
    assert len(await site.raw()) == 1
    assert len(await site.thread()) == 1


async def test_the_visitor_comes_back_with_his_token(site: Site) -> None:
    visitor = await site.visitor(name="Вера")
    await visitor.write("one")
    back = await site.visitor(token=visitor.token)
    assert back.id == visitor.id
    assert back.session["name"] == "Вера"
    assert [message["text"] for message in back.session["messages"]] == ["one"]
    assert back.session["cursor"] == back.session["messages"][0]["seq"]


async def test_the_answer_comes_live_with_the_agents_name(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    async with visitor.live() as live:
        assert [message["text"] for message in await live.next()] == ["question"]
        await site.answer(visitor, "answer")
        (message,) = await live.next()
    assert (message["from"], message["text"], message["author_name"]) == ("agent", "answer", "Анна")


async def test_the_agents_name_can_be_kept_to_ourselves(site: Site) -> None:
    await site.change_channel(settings={"agent_names": False})
    visitor = await site.visitor()
    await visitor.write("question")
    await site.answer(visitor, "answer")
    assert [message["author_name"] for message in await visitor.history()] == [None, None]


async def test_an_answer_is_seen_only_when_it_left(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    await site.answer(visitor, "not yet", sent=False)
    assert [message["text"] for message in await visitor.history()] == ["question"]
    await site.deliver()
    assert [message["text"] for message in await visitor.history()] == ["question", "not yet"]


async def test_an_answer_that_left_after_a_later_message_is_not_missed(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("one")
    await site.answer(visitor, "late", sent=False)
    await visitor.write("two")
    async with visitor.live() as live:
        shown = await live.next()
        assert [message["text"] for message in shown] == ["one", "two"]
        await site.deliver()
        assert [message["text"] for message in await live.next()] == ["late"]
    async with visitor.live(after=shown[-1]["seq"]) as live:
        assert "late" in [message["text"] for message in await live.next()]


async def test_everything_missed_comes_after_a_long_absence(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("first")
    (first,) = await visitor.history()
    for number in range(60):
        await site.answer(visitor, str(number), sent=False)
    await site.deliver()
    async with visitor.live(after=first["seq"]) as live:
        texts = [message["text"] for message in await live.next()]
    assert texts[-60:] == [str(number) for number in range(60)]


async def test_older_messages_are_read_page_by_page(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("first")
    for number in range(55):
        await site.answer(visitor, str(number), sent=False)
    await site.deliver()
    page = (await site.http.get(site.path("messages"), headers=visitor.headers)).json()
    assert page["has_more"]
    before = page["messages"][0]["seq"]
    rest = (
        await site.http.get(site.path("messages"), params={"before": before}, headers=visitor.headers)
    ).json()
    assert not rest["has_more"]
    assert len(page["messages"]) + len(rest["messages"]) == 56
    assert rest["messages"][0]["text"] == "first"


async def test_delivered_and_read_reach_the_agent(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    sent = await site.answer(visitor, "answer")
    assert (await site.message(sent)).status == "sent"
    async with visitor.live() as live:
        seq = (await live.next())[-1]["seq"]
        await live.say(delivered_up_to=seq)
        await eventually(lambda: _settled(site, 2))
        assert (await site.message(sent)).status == "delivered"
        await live.say(read_up_to=seq)
        await eventually(lambda: _settled(site, 3))
    message = await site.message(sent)
    assert message.status == "read"
    assert message.delivered_at is not None
    assert message.read_at is not None
    assert [row.key for row in await site.raw()][-1] == f"read:{visitor.id}:{seq}"


async def test_a_receipt_tells_nothing_about_what_was_not_shown(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    await site.answer(visitor, "shown")
    async with visitor.live() as live:
        shown = (await live.next())[-1]["seq"]
        await live.say(read_up_to=10**17)
        await eventually(lambda: _settled(site, 2))
        assert (await site.raw())[-1].key == f"read:{visitor.id}:{shown}"
    later = await site.answer(visitor, "not shown")
    await site.understand()
    assert (await site.message(later)).status == "sent"


async def _settled(site: Site, count: int) -> bool:
    """Whether so many raw events are there, all understood."""
    await site.understand()
    async with site.db.transaction() as session:
        done = await session.scalar(select(func.count()).where(Inbound.state == "done"))
    return done == count


async def test_a_personal_link_joins_the_known_customer(site: Site) -> None:
    async with site.db.transaction() as session:
        customer = Customer(name="Known")
        session.add(customer)
        await session.flush()
        agent = await viewer.load(session, site.agent_id)
        token, _ = await linking.make(session, agent, customer_id=customer.id, channel_id=site.channel_id)
    visitor = await site.visitor(link_token=token)
    await site.understand()
    await visitor.write("it is me")
    (message,) = await site.thread()
    assert message.customer_id == customer.id
    assert token not in "".join(row.key for row in await site.raw())


async def test_two_tabs_of_a_visitor_see_the_same(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("start")
    async with visitor.live() as one, visitor.live() as two:
        await one.next()
        await two.next()
        await visitor.write("from a third")
        assert [message["text"] for message in await one.next()] == ["from a third"]
        assert [message["text"] for message in await two.next()] == ["from a third"]


async def test_a_dialog_has_all_of_the_visitors_messages(site: Site) -> None:
    visitor = await site.visitor()
    for text in ("one", "two", "three"):
        await visitor.write(text)
    async with site.db.transaction() as session:
        dialog = (await session.scalars(select(Dialog))).one()
        texts = list(await session.scalars(select(Message.text).order_by(Message.seq)))
    assert dialog.inbound_count == 3
    assert texts == ["one", "two", "three"]


async def test_an_answer_wakes_the_visitors_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection does not wait until it looks by itself."""
    monkeypatch.setattr("app.web.widget_live.LOOK", 1000)
    visitor = await site.visitor()
    async with visitor.live() as live:
        assert await live.next() == []
        await visitor.write("first")  # nobody knew him when the connection began
        assert [message["text"] for message in await live.next()] == ["first"]
        await site.answer(visitor, "answer")
        assert [message["text"] for message in await live.next()] == ["answer"]


async def test_typing_is_shown_both_ways(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    shown: list[dict[str, Any]] = []
    site.app.state.lane._show = lambda keys, body: shown.append({"keys": keys, **body})
    async with visitor.live() as live:
        await live.next()
        await live.say(typing=True)
        said = await eventually(lambda: shown and shown[0])
        assert (said["lane"], said["customer"]) == ("typing", True)
        assert "admin" in said["keys"]
        async with site.db.transaction() as session:
            dialog = (await session.scalars(select(Dialog))).one()
            chat = await access.last_chat(session, dialog)
        assert said["dialog_id"] == str(dialog.id)
        site.app.state.lane.typing(dialog.id, keys=frozenset(), body={"agent_id": "x"}, chat=chat)
        assert await live.next("typing") is True
    assert len(await site.raw()) == 1


async def test_nothing_is_left_behind_by_a_closed_connection(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.write("question")
    async with visitor.live() as live:
        await live.next()
        assert site.app.state.feed._followers
    await eventually(lambda: not site.app.state.feed._followers and not site.app.state.lane._listeners)
    assert not site.app.state.widget_hub._lines


async def test_a_visitor_is_told_to_come_back_when_the_process_stops(site: Site) -> None:
    visitor = await site.visitor()
    async with visitor.live() as live:
        await live.next()
        for line in hub(site.app).lines():
            line.leave()
        await live.socket.wait_closed()
        assert live.socket.close_code == 1012
