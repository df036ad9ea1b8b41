"""Pulling a channel: events and cursor stored in one transaction, by one process at a time.

The lease has a fencing number: whoever lost it cannot move the cursor any more.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from uuid import UUID

import structlog

from app.core.db import Database
from channels import accounts, cursors, inbound
from channels.base import Batch, DeliveryError, RetryLater, Unauthorized
from channels.cursors import Lease
from channels.errors import Fenced
from channels.gateway import Gateway

log = structlog.get_logger()

TTL = timedelta(seconds=8)
"""With the pause between tries it is how long a channel rests when its holder dies: under 10 s."""
_RENEW_SECONDS = 2.0
_TRY_SECONDS = 1.0
_LONGEST_PAUSE = 300.0
_UNDISTURBED = 60.0
_ROOM_SECONDS = 1.0


async def pull(
    db: Database, gateway: Gateway, channel_id: UUID, *, holder: str, wake: Callable[[], None]
) -> None:
    """Pull the channel for ever: takes the lease when it is free, backs off after faults.

    Ends only when it is cancelled, when the channel does not pull, or when its credentials are
    refused. `wake` is called after events were stored.
    """
    faults = 0
    while True:
        lease = await _acquire(db, channel_id, holder)
        if lease is None:
            await asyncio.sleep(_TRY_SECONDS)
            continue
        began = time.monotonic()
        try:
            await _hold(db, gateway, lease, wake)
            return
        except Fenced:
            log.info("pull.lease_lost", channel_id=str(channel_id))
            faults = 0
        except Unauthorized as error:
            await accounts.note_failure(db, channel_id, error)
            return
        except DeliveryError as error:
            faults = _count(faults, began)
            await accounts.note_failure(db, channel_id, error)
            await asyncio.sleep(_pause(error, faults))
        except asyncio.CancelledError:
            raise
        except Exception:
            faults = _count(faults, began)
            log.exception("pull.failed", channel_id=str(channel_id))
            await asyncio.sleep(_pause(None, faults))
        finally:
            await _release(db, lease)


def _count(faults: int, began: float) -> int:
    """Faults in a row; the one that ends a time of undisturbed work is a first one."""
    return 1 if time.monotonic() - began > _UNDISTURBED else faults + 1


def _pause(error: DeliveryError | None, faults: int) -> float:
    if isinstance(error, RetryLater) and error.after is not None:
        return error.after.total_seconds()
    return min(_LONGEST_PAUSE, 2.0 ** (faults - 1)) * random.uniform(0.7, 1.0)  # noqa: S311


async def _acquire(db: Database, channel_id: UUID, holder: str) -> Lease | None:
    try:
        async with db.transaction() as session:
            return await cursors.acquire(session, channel_id, holder=holder, ttl=TTL)
    except Exception:
        log.exception("pull.no_lease", channel_id=str(channel_id))
        return None


async def _release(db: Database, lease: Lease) -> None:
    with suppress(Exception):
        async with db.transaction() as session:
            await cursors.release(session, lease)


async def _hold(db: Database, gateway: Gateway, lease: Lease, wake: Callable[[], None]) -> None:
    """Pull while the lease is ours; the pulling ends as soon as it is not."""
    pulling = asyncio.create_task(_pull(db, gateway, lease, wake))
    renewing = asyncio.create_task(_renew(db, lease))
    try:
        done, _ = await asyncio.wait({pulling, renewing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (pulling, renewing):
            task.cancel()
        await asyncio.gather(pulling, renewing, return_exceptions=True)


async def _renew(db: Database, lease: Lease) -> None:
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        async with db.transaction() as session:
            await cursors.renew(session, lease, ttl=TTL)


async def _pull(db: Database, gateway: Gateway, lease: Lease, wake: Callable[[], None]) -> None:
    async with db.transaction() as session:
        adapter = await gateway.adapter(session, lease.channel_id)
        channel = await accounts.get(session, lease.channel_id)
    # Customers write from the moment on that the channel is there, not only from the first pull on.
    cursor = lease.cursor or {"since": int(channel.created_at.timestamp())}
    async with aclosing(adapter.pull(cursor)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            await _store(db, lease, batch)
            if batch.events:
                wake()
                await _room(db, lease.channel_id, gateway.settings.max_backlog)


async def _room(db: Database, channel_id: UUID, most: int) -> None:
    """Wait while too much is to be understood; meanwhile the platform keeps what comes."""
    told = False
    while await _is_long(db, most):
        if not told:
            log.warning("pull.waiting", channel_id=str(channel_id), reason="too many events to understand")
            told = True
        await asyncio.sleep(_ROOM_SECONDS)


async def _is_long(db: Database, most: int) -> bool:
    async with db.transaction() as session:
        return await inbound.waiting(session, at_least=most)


async def _store(db: Database, lease: Lease, batch: Batch) -> None:
    async with db.transaction() as session:
        await inbound.store(session, lease.channel_id, batch.events)
        await cursors.advance(session, lease, cursor=batch.cursor)
        channel = await accounts.find(session, lease.channel_id)
        if channel is not None:
            await accounts.contact(session, channel)
