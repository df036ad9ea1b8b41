"""Pulling a channel after faults: pauses grow while they come in a row, and only then."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.db import Database
from channels import pulling
from channels.base import Batch, RawEvent, RetryLater
from tests.dialogs.desk import Desk
from tests.dialogs.fake import message, payload
from tests.helpers import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("seconds", "expected"), [(1, [1, 2, 3, 4]), (3600, [1, 1, 1, 1])])
async def test_a_fault_after_undisturbed_work_is_a_first_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: int, expected: list[int]
) -> None:
    """Else the ninth fault of a month would silence the channel for five minutes."""
    chat = await desk.chat()
    clock = 0
    seen: list[int] = []

    def passes() -> int:
        nonlocal clock
        clock += seconds
        return clock

    async def pull(cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        yield Batch([], {})
        raise RetryLater("the network")

    def pause(_error: object, faults: int) -> float:
        seen.append(faults)
        return 0

    monkeypatch.setattr(chat.adapter, "pull", pull)
    monkeypatch.setattr(pulling, "time", SimpleNamespace(monotonic=passes))
    monkeypatch.setattr(pulling, "_pause", pause)
    task = asyncio.create_task(pulling.pull(desk.db, desk.gateway, chat.id, holder="me", wake=lambda: None))
    await eventually(lambda: len(seen) >= 4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen[:4] == expected


async def test_pulling_waits_while_too_much_is_to_be_understood(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not asked for, the platform keeps; it goes on by itself."""
    monkeypatch.setattr(desk.gateway.settings, "max_backlog", 3)
    monkeypatch.setattr(pulling, "_ROOM_SECONDS", 0.02)
    chat = await desk.chat()
    asked = 0

    async def pull(cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        nonlocal asked
        while asked < 6:
            asked += 1
            event = RawEvent(f"{chat.id}:{asked}", payload(message("flood", str(asked))), "flood")
            yield Batch([event], {"asked": asked})
        await asyncio.Event().wait()

    looks = 0
    look = pulling._is_long

    async def counted(db: Database, most: int) -> bool:
        nonlocal looks
        looks += 1
        return await look(db, most)

    monkeypatch.setattr(chat.adapter, "pull", pull)
    monkeypatch.setattr(pulling, "_is_long", counted)
    task = asyncio.create_task(pulling.pull(desk.db, desk.gateway, chat.id, holder="me", wake=lambda: None))
    try:
        await eventually(lambda: looks > 6)
        assert asked == 3

        async def all_there() -> bool:
            await desk.understand()
            return [row["text"] for row in await chat.messages("flood")] == list("123456")

        await eventually(all_there)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
