"""Names and faces of people, which VK's events do not bring: asked for together, kept for a day."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from channels.base import DeliveryError, Rejected, Sender
from channels.text import clean
from channels.vk.client import Client

MOST = 1000
"""People in one call."""
KEPT_SECONDS = 24 * 3600
_KEPT = 10_000
_TOGETHER_SECONDS = 0.02


class People:
    """Whom this process has asked for lately."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[int, tuple[float, dict[str, Any]]] = {}
        self._wanted: dict[int, list[asyncio.Future[dict[str, Any]]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def profile(self, external_id: str) -> Sender | None:
        """Name, short name and picture of a user. Who is asked for at the same moment shares the call."""
        if not external_id.isdecimal():
            return None
        user = self._fresh(int(external_id))
        if user is None:
            user = await self._soon(int(external_id))
        name, photo = _name(user), user.get("photo_200")
        if not user:
            return None
        username = clean(str(user.get("screen_name") or ""))
        avatar = {"url": photo} if isinstance(photo, str) else None
        return Sender(scope="vk", external_id=external_id, name=name, username=username, avatar=avatar)

    async def names(self, ids: Iterable[int]) -> dict[str, str]:
        """Names as far as they can be learnt; raises nothing."""
        wanted = {id for id in ids if id > 0}
        try:
            await self._ask([id for id in wanted if self._fresh(id) is None])
        except DeliveryError:
            return {}
        return {str(id): name for id in wanted if (name := _name(self._fresh(id) or {}))}

    def _fresh(self, id: int) -> dict[str, Any] | None:
        asked_at, user = self._known.get(id, (0.0, {}))
        return user if asked_at and time.monotonic() - asked_at < KEPT_SECONDS else None

    async def _soon(self, id: int) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(id, []).append(future)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answer_all())
        return await future

    async def _answer_all(self) -> None:
        while self._wanted:
            await asyncio.sleep(_TOGETHER_SECONDS)
            wanted, self._wanted = self._wanted, {}
            failure: Exception | None = None
            try:
                await self._ask(list(wanted))
            except Exception as error:
                failure = error
            for id, futures in wanted.items():
                for future in futures:
                    if not future.done():
                        _settle(future, self._fresh(id) or {}, failure)

    async def _ask(self, ids: list[int]) -> None:
        for start in range(0, len(ids), MOST):
            some = ids[start : start + MOST]
            users = await self._users(some)
            now = time.monotonic()
            self._known |= {id: (now, users.get(id, {})) for id in some}
        for id in list(self._known)[: max(0, len(self._known) - _KEPT)]:
            del self._known[id]

    async def _users(self, ids: list[int]) -> dict[int, dict[str, Any]]:
        given = {"user_ids": ",".join(map(str, ids)), "fields": "photo_200,screen_name"}
        try:
            found = await self._client.call("users.get", **given)
        except Rejected:
            return {}
        users = [user for user in found if isinstance(user, dict)] if isinstance(found, list) else []
        return {user["id"]: user for user in users if isinstance(user.get("id"), int)}

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        for future in (one for futures in self._wanted.values() for one in futures):
            future.cancel()


def _settle(future: asyncio.Future[dict[str, Any]], user: dict[str, Any], failure: Exception | None) -> None:
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(user)


def _name(user: dict[str, Any]) -> str:
    return clean(" ".join(str(user[part]) for part in ("first_name", "last_name") if user.get(part)))


def strangers(update: dict[str, Any]) -> set[int]:
    """Whose names an event needs that nobody asks for later: staff, and authors of forwarded messages."""
    body = update.get("object")
    message = body.get("message", body) if isinstance(body, dict) else {}
    return set(_named(message, 0)) if isinstance(message, dict) else set()


def _named(message: dict[str, Any], depth: int) -> Iterable[int]:
    if isinstance(admin := message.get("admin_author_id"), int):
        yield admin
    for inner in message.get("fwd_messages") or []:
        if isinstance(inner, dict) and depth < 5:
            if isinstance(author := inner.get("from_id"), int):
                yield author
            yield from _named(inner, depth + 1)
