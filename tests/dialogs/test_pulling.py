"""Pulling a channel after faults: pauses grow while they come in a row, and only then."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from channels import pulling
from channels.base import Batch, RetryLater
from tests.dialogs.desk import Desk
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
