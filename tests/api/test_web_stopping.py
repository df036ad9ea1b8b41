"""Loops of the web program end when they are told to, whatever the moment."""

import asyncio

import pytest

from app.loops import Loop


@pytest.mark.parametrize("steps", range(6))
async def test_a_loop_that_is_woken_and_cancelled_at_once_ends(steps: int) -> None:
    async def turn() -> None:
        return None

    loop = Loop("test", turn, every=60)
    running = asyncio.create_task(loop.run())
    for _ in range(5):
        await asyncio.sleep(0)
    loop.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=2)
    running.cancel()
    assert done, "the cancellation was lost"
