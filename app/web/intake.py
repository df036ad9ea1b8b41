"""Storing what webhooks bring: those that wait at the same time share a statement and its commit, and each is
answered after that."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from app.core.batcher import Batcher
from app.core.db import WAIT_SECONDS, is_passing
from channels import inbound
from channels.base import RawEvent
from channels.inbound import Given, Raw

_MOST = 50
"""Webhooks stored together."""
_LARGE = 64 * 1024
"""Bytes; what is larger is stored alone, so that nobody waits for its way to the database."""
_PATIENCE = 20.0
"""Seconds for the statement. The platforms wait about as long for an answer."""


class Intake:
    """Of one process; `state` is the application's."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self.batches = Batcher(self._together, most=_MOST)

    async def keep(self, channel_id: UUID, events: Sequence[RawEvent]) -> list[Raw]:
        """Store events, committed when this returns; gives those that were not there yet."""
        trace = structlog.contextvars.get_contextvars().get("request_id")
        given = Given(channel_id, events, trace)
        if sum(len(event.payload) for event in events) > _LARGE:
            (raws,) = await self.store([given])
        else:
            raws = await self.batches.put(given)
        if trace is not None:  # the request's line in the log names what it brought
            structlog.contextvars.bind_contextvars(inbound_ids=[raw.id for raw in raws])
        return raws

    async def _together(self, given: list[Given]) -> list[list[Raw] | Exception]:
        try:
            return list(await self.store(given))
        except Exception as error:
            if len(given) == 1 or _concerns_all(error):
                return [error] * len(given)
        return await asyncio.gather(*(self._alone(one) for one in given))

    async def _alone(self, given: Given) -> list[Raw] | Exception:
        """Something in a batch was refused: whoever it was, the others shall not suffer."""
        try:
            (raws,) = await self.store([given])
        except Exception as error:
            return error
        return raws

    async def store(self, given: Sequence[Given]) -> list[list[Raw]]:
        """Store them all, or raise and store none."""
        async with self._state.database.raw.acquire(timeout=WAIT_SECONDS) as connection:
            return await inbound.store_given(connection, given, patience=_PATIENCE)


def _concerns_all(error: Exception) -> bool:
    """The database is away or busy, which says nothing about one of them; a lock is somebody's own."""
    held = str(getattr(error, "sqlstate", None) or "-").startswith(("40", "55"))
    return is_passing(error) and not held and not isinstance(error, ValueError)
