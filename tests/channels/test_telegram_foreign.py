"""Our fake Telegram, judged by a client nobody here wrote: what python-telegram-bot believes, tests may."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    ReactionTypeEmoji,
    Update,
)
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.request import HTTPXRequest

from tests.e2e.platforms import PNG
from tests.fakes.telegram import FakeTelegram

SUGGESTED = InlineKeyboardMarkup([[InlineKeyboardButton("Утром", callback_data="am")]])


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    direct, polling = (HTTPXRequest(httpx_kwargs={"trust_env": False}) for _ in range(2))
    calls, files = f"{fake.url}/bot", f"{fake.url}/file/bot"
    async with Bot(fake.token, calls, files, request=direct, get_updates_request=polling) as bot:
        yield bot


async def test_an_offset_confirms_what_lies_before_it(fake: FakeTelegram, bot: Bot) -> None:
    for text in ("раз", "два"):
        fake.customer_writes(text=text)
    first, second = await bot.get_updates(timeout=0)
    again = await bot.get_updates(offset=second.update_id, timeout=0)
    assert [update.message.text for update in again if update.message] == ["два"]
    assert first.update_id < second.update_id
    assert await bot.get_updates(offset=second.update_id + 1, timeout=0) == ()


async def test_messages_are_sent_changed_and_deleted(fake: FakeTelegram, bot: Bot) -> None:
    asked = fake.customer_writes(text="/start")
    sent = await bot.send_message(501, "Когда?", reply_markup=SUGGESTED)
    assert (sent.text, sent.chat.id, sent.from_user and sent.from_user.username) == (
        "Когда?",
        501,
        "otklik_bot",
    )
    assert sent.reply_markup == SUGGESTED
    changed = await bot.edit_message_text("Когда удобно?", 501, sent.message_id, reply_markup=SUGGESTED)
    assert not isinstance(changed, bool)
    assert changed.text == "Когда удобно?"
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("Когда удобно?", 501, sent.message_id, reply_markup=SUGGESTED)
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("x", 501, asked["message_id"])
    assert await bot.set_message_reaction(501, asked["message_id"], ReactionTypeEmoji("👍"))
    assert await bot.delete_message(501, sent.message_id)
    with pytest.raises(BadRequest, match="to delete not found"):
        await bot.delete_message(501, sent.message_id)
    assert await bot.delete_messages(501, [sent.message_id])


async def test_a_pressed_button_is_understood_and_answered_once(fake: FakeTelegram, bot: Bot) -> None:
    fake.customer_writes(text="/start")
    await bot.send_message(501, "Когда?", reply_markup=SUGGESTED)
    fake.customer_presses("Утром")
    [*_, update] = await bot.get_updates(timeout=0, allowed_updates=Update.ALL_TYPES)
    query = update.callback_query
    assert query
    assert (query.data, query.from_user.id) == ("am", 501)
    assert await query.answer()
    with pytest.raises(BadRequest, match="too old"):
        await query.answer()


async def test_files_go_both_ways(fake: FakeTelegram, bot: Bot) -> None:
    fake.customer_sends_file("document", b"content", file_name="bill.pdf", mime="application/pdf")
    [update] = await bot.get_updates(timeout=0)
    assert update.message
    assert update.message.document
    got = await (await update.message.document.get_file()).download_as_bytearray()
    assert bytes(got) == b"content"
    sent = await bot.send_photo(501, PNG, caption="вот")
    assert (sent.caption, len(sent.photo)) == ("вот", 1)
    assert (await bot.send_document(501, b"x", filename="a.txt")).document
    album = await bot.send_media_group(501, [InputMediaPhoto(PNG, caption="две"), InputMediaPhoto(PNG)])
    assert len({one.media_group_id for one in album}) == 1
    edited = await bot.edit_message_caption(501, album[0].message_id, caption="пара")
    assert not isinstance(edited, bool)
    assert edited.caption == "пара"


async def test_reactions_and_blocking_are_understood(fake: FakeTelegram, bot: Bot) -> None:
    await bot.get_updates(timeout=0, allowed_updates=Update.ALL_TYPES)
    fake.customer_reacts(5, "👍", ":5368:")
    fake.customer_blocks(501)
    reacted, blocked = await bot.get_updates(timeout=0)
    assert reacted.message_reaction
    assert [one.type for one in reacted.message_reaction.new_reaction] == ["emoji", "custom_emoji"]
    assert blocked.my_chat_member
    assert blocked.my_chat_member.new_chat_member.status == "kicked"
    with pytest.raises(Forbidden, match="blocked"):
        await bot.send_message(501, "x")


async def test_refusals_are_those_of_telegram(
    fake: FakeTelegram, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.customer_writes(text="/start")
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    fake.fail_next("flood", retry_after=7)
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(501, "x")
    assert flood.value.retry_after == timedelta(seconds=7)
    with pytest.raises(BadRequest, match=r"(?i)chat not found"):
        await bot.send_message(999, "x")
    fake.fail_next("html502")
    with pytest.raises(NetworkError):
        await bot.send_message(501, "x")
    await bot.set_webhook("https://example.com/hook", secret_token="s3cret")
    with pytest.raises(Conflict):
        await bot.get_updates(timeout=0)
    assert (await bot.get_webhook_info()).url == "https://example.com/hook"
    assert await bot.delete_webhook()
    fake.fail_next("revoked")
    with pytest.raises(InvalidToken):
        await bot.get_me()
