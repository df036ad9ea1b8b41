"""Group commit: what comes while a batch is under way is carried out together, in the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Whoever comes alone is served at once, alone; each gets his own result, or his own exception."""

    def __init__(
        self, carry_out: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]], *, most: int
    ) -> None:
        """`carry_out`: takes at most `most` items in their order, gives a result or an exception for each."""
        self._carry_out = carry_out
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._working: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many are not yet in a batch."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a batch is under way."""
        return self._working is not None

    def put(self, item: Item) -> "asyncio.Future[Result]":
        """Its result, when its batch is done. The caller bounds how many wait."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, result))
        if self._working is None:  # in a context of its own: the batch is of many callers
            self._working = loop.create_task(self._work(), context=Context())
        return result

    async def close(self) -> None:
        """Break off the batch under way; nobody is left waiting."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._batch()
        finally:
            self._working = None
            for _, result in self._waiting:  # only when cancelled
                result.cancel()
            self._waiting.clear()

    async def _batch(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            results = await self._carry_out([item for item, _ in taken])
        except Exception as error:
            results = [error] * len(taken)
        except BaseException:
            for _, result in taken:
                result.cancel()
            raise
        for (_, result), given in zip(taken, results, strict=True):
            if result.done():  # its caller went away
                continue
            if isinstance(given, Exception):
                result.set_exception(given)
            else:
                result.set_result(given)
