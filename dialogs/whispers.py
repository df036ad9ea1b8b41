"""Customers who type: told to who sees their dialogs on the lane that may drop, never stored."""

import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import orjson
import structlog
from sqlalchemy import select, tuple_

from app.core.db import Database
from channels.base import Typing
from dialogs import access
from dialogs.models import Dialog, Identity

log = structlog.get_logger()

SECONDS = 2.0
"""One customer is told of no oftener."""
_KEPT = 1000
_PROCESS = uuid4().hex
_told: dict[tuple[str, str], float] = {}


async def tell(db: Database, heard: Sequence[tuple[UUID, Typing]]) -> None:
    """Whisper that the senders type, each in his open dialog. Fails without a word to anybody."""
    people = _rested({(event.sender.scope or str(id), event.sender.external_id) for id, event in heard})
    if not people:
        return
    try:
        async with db.transaction() as session:
            dialogs = await session.scalars(
                select(Dialog.id)
                .join(Identity, Identity.customer_id == Dialog.customer_id)
                .where(Dialog.status != "closed", tuple_(Identity.scope, Identity.external_id).in_(people))
            )
            audiences = await access.audiences(session, set(dialogs))
    except Exception as error:  # whoever types goes on typing
        log.info("typing.not_told", reason=type(error).__name__)
        return
    for dialog_id, keys in audiences.items():
        said = {"lane": "typing", "dialog_id": str(dialog_id), "customer": True, "note": False}
        whisper = {"from": _PROCESS, "keys": sorted(keys), "say": said}
        db.bell.whisper(orjson.dumps(whisper).decode())


def _rested(people: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those who were not told of a moment ago."""
    now = time.monotonic()
    rested = [one for one in people if now - _told.get(one, float("-inf")) >= SECONDS]
    _told.update(dict.fromkeys(rested, now))
    for one in list(_told)[: max(0, len(_told) - _KEPT)]:
        del _told[one]
    return rested
