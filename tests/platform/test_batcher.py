"""Carrying out together what comes at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from app.core.batcher import Batcher


class Work:
    """Doubles numbers; refuses the negative ones; waits while `gate` is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.batcher: Batcher[int, int] = Batcher(self.double, most=3)

    async def double(self, numbers: list[int]) -> Sequence[int | Exception]:
        self.batches.append(numbers)
        await self.gate.wait()
        if 99 in numbers:
            raise ValueError("all of them")
        return [2 * number if number >= 0 else KeyError(number) for number in numbers]


async def test_each_gets_his_own_result() -> None:
    work = Work()
    alone = await work.batcher.put(1)
    found = await asyncio.gather(*(work.batcher.put(n) for n in (2, -3, 4, 5)), return_exceptions=True)
    assert alone == 2
    assert [found[0], found[2], found[3]] == [4, 8, 10]
    assert isinstance(found[1], KeyError)
    assert work.batches == [[1], [2, -3, 4], [5]]


async def test_what_comes_meanwhile_waits_for_the_next_batch() -> None:
    work = Work()
    work.gate.clear()
    first = work.batcher.put(1)
    await asyncio.sleep(0)
    rest = [work.batcher.put(number) for number in (2, 3)]
    await asyncio.sleep(0)
    assert work.batches == [[1]]
    assert work.batcher.waiting == 2
    work.gate.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6]
    assert work.batches == [[1], [2, 3]]


async def test_a_batch_that_fails_is_told_to_all_of_it_and_to_no_other() -> None:
    work = Work()
    found = await asyncio.gather(*(work.batcher.put(n) for n in (1, 2, 99, 4)), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError, ValueError, ValueError, int]


async def test_who_goes_away_is_no_trouble() -> None:
    work = Work()
    results = [work.batcher.put(number) for number in (1, 2)]
    results[0].cancel()
    assert await results[1] == 4


async def test_ending_leaves_nobody_waiting() -> None:
    work = Work()
    work.gate.clear()
    results = [work.batcher.put(number) for number in range(5)]
    await asyncio.sleep(0)
    await work.batcher.close()
    assert all(result.cancelled() for result in results)
    work.gate.set()
    with pytest.raises(ValueError, match="all of them"):
        await work.batcher.put(99)
