"""VK's two transports: Bots Long Poll with its gaps, and the Callback API."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from channels.base import Batch, RawEvent, RetryLater, WebhookReply, WebhookRequest
from channels.vk import history
from channels.vk.client import VERSION, Client
from channels.vk.people import strangers

WAIT = 25
"""Seconds that VK advises to hold a long poll open."""
EVENTS = (
    "message_new",
    "message_reply",
    "message_edit",
    "message_allow",
    "message_deny",
    "message_read",
    "message_typing_state",
    "message_event",
    "message_reaction_event",
)
Names = Callable[[Iterable[int]], Awaitable[dict[str, str]]]
"""Asks for people's names; never fails."""


@dataclass
class _Place:
    """Where in the stream we are. `ts` and `date` are the cursor; server and key last an hour or so."""

    group: int
    ts: str
    date: int
    server: str = ""
    key: str = ""

    def cursor(self) -> dict[str, Any]:
        return {"group": self.group, "ts": self.ts, "date": self.date}


async def pull(client: Client, group: int, cursor: dict[str, Any], *, names: Names) -> AsyncIterator[Batch]:
    """Batches for ever; gaps that VK admits are filled from the history before the cursor moves on."""
    place = await _enter(client, group, cursor)
    wait = int(max(1, min(WAIT, client.timeout)))
    if "since" in cursor:
        async for events, _ in history.since(client, group, int(cursor["since"])):
            yield Batch(events=events, cursor=cursor)
    # So that a crash before the first event does not begin later than this one.
    yield Batch(events=[], cursor=place.cursor())
    while True:
        answer = await client.long_poll(place.server, key=place.key, ts=place.ts, wait=wait)
        if "failed" not in answer:
            updates = [update for update in answer["updates"] if isinstance(update, dict)]
            events = [raw_event(await _named(update, names)) for update in updates]
            place.ts = str(answer["ts"])
            place.date = max([place.date, *(_date(update) for update in answer["updates"])])
            yield Batch(events=events, cursor=place.cursor())
            continue
        async for batch in _recover(client, place, answer):
            yield batch


async def _named(update: dict[str, Any], names: Names) -> dict[str, Any]:
    """With the names it needs, which are mostly none or known already."""
    wanted = strangers(update)
    return update | {"names": await names(wanted)} if wanted else update


async def _enter(client: Client, group: int, cursor: dict[str, Any]) -> _Place:
    """Start after `cursor`; the first time of all at the newest message there is."""
    ours = cursor if cursor.get("group") == group else {}
    # The history's end is read first: what comes in between is then in the queue as well.
    date = int(ours["date"]) if "date" in ours else await history.newest_date(client, group)
    place = _Place(group, str(ours.get("ts", "")), date)
    fresh = await _renew(client, place)
    place.ts = place.ts or fresh
    return place


async def _renew(client: Client, place: _Place) -> str:
    """A new server and key; returns the server's own ts."""
    found = await client.call("groups.getLongPollServer", group_id=place.group)
    try:
        place.server, place.key = str(found["server"]), str(found["key"])
        return str(found["ts"])
    except (KeyError, TypeError):
        raise RetryLater("VK gave no long poll server", code="bad_answer") from None


async def _recover(client: Client, place: _Place, answer: dict[str, Any]) -> AsyncIterator[Batch]:
    """After `failed`: 1 history lost, 2 key expired, 3 both, 4 wrong version."""
    failed = answer["failed"]
    if failed == 2:
        await _renew(client, place)
        return
    if failed == 1 and "ts" in answer:
        ts = str(answer["ts"])
    elif failed == 3:
        ts = await _renew(client, place)
    else:
        # 4 needs a change of ours; anything else is new. Asking at once would spin.
        raise RetryLater(f"The long poll failed ({failed})", after=timedelta(seconds=30), code="long_poll")
    newest = place.date
    async for events, seen in history.since(client, place.group, place.date):
        newest = max(newest, seen)
        yield Batch(events=events, cursor=place.cursor())
    # Only now: a crash before this point meets the same gap again.
    place.ts, place.date = ts, newest
    yield Batch(events=[], cursor=place.cursor())


def raw_event(update: dict[str, Any]) -> RawEvent:
    payload = _dumped(update)
    key = str(update.get("event_id") or "sha256:" + hashlib.sha256(payload).hexdigest())
    return RawEvent(key=key, payload=payload, lane=_lane(update))


def _dumped(update: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(update)
    except TypeError:  # halves of pairs, numbers beyond 64 bits
        return json.dumps(update).encode()


def _message(update: Any) -> dict[str, Any]:
    """The message inside an event, or the event's object itself."""
    given = update.get("object") if isinstance(update, dict) else None
    body = given if isinstance(given, dict) else {}
    inner = body.get("message")
    return inner if isinstance(inner, dict) else body


def _lane(update: dict[str, Any]) -> str:
    message = _message(update)
    found = (message.get(name) for name in ("peer_id", "user_id", "from_id"))
    return next((str(value) for value in found if isinstance(value, int)), "")


def _date(update: Any) -> int:
    value = _message(update).get("date")
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def webhook(request: WebhookRequest, *, secret: str, confirmation: str, group: int) -> WebhookReply:
    """Verify one call of the Callback API; the answer is the word `ok` and nothing else."""
    try:
        call = json.loads(request.body)
    except (ValueError, RecursionError):
        return WebhookReply(status=400)
    if not isinstance(call, dict) or not isinstance(call.get("type"), str):
        return WebhookReply(status=400)
    if group and call.get("group_id") != group:
        return WebhookReply(status=403)
    # A confirmation may come without the secret, before the secret is set; never with a wrong one.
    confirms = call["type"] == "confirmation"
    if not _proves(call.get("secret"), secret) and not (confirms and "secret" not in call):
        return WebhookReply(status=403)
    if confirms:
        return WebhookReply(status=200 if confirmation else 503, body=confirmation.encode())
    if not isinstance(call.get("object"), dict):
        return WebhookReply(status=400)
    return WebhookReply(body=b"ok", events=[raw_event(_without_secret(call))])


def _proves(given: Any, secret: str) -> bool:
    text = given if isinstance(given, str) else ""
    return bool(secret) and hmac.compare_digest(text.encode("utf-8", "replace"), secret.encode())


def _without_secret(call: dict[str, Any]) -> dict[str, Any]:
    # The raw event is kept and may be shown; the secret has done its work.
    return {name: value for name, value in call.items() if name != "secret"}


async def start_poll(client: Client, group: int, url: str) -> None:
    """Ask for our events by long poll, and for no calls to `url` any more."""
    for server in await _callback_servers(client, group):
        if server.get("url") == url:
            await client.call("groups.deleteCallbackServer", group_id=group, server_id=server.get("id"))
    wanted = dict.fromkeys(EVENTS, 1)
    await client.call("groups.setLongPollSettings", group_id=group, enabled=1, api_version=VERSION, **wanted)


async def start_webhook(client: Client, group: int, url: str, *, title: str, secret: str) -> None:
    """Have our events sent to `url`; VK asks it for the confirmation at once."""
    known = [server for server in await _callback_servers(client, group) if server.get("url") == url]
    server = known[0].get("id") if known else None
    # VK's own limits: 14 characters of title, 50 of secret.
    given = {"group_id": group, "url": url, "title": title[:14] or "Otklik", "secret_key": secret}
    if server is None:
        server = (await client.call("groups.addCallbackServer", **given))["server_id"]
    else:
        await client.call("groups.editCallbackServer", server_id=server, **given)
    wanted = dict.fromkeys(EVENTS, 1)
    await client.call(
        "groups.setCallbackSettings", group_id=group, server_id=server, api_version=VERSION, **wanted
    )


async def _callback_servers(client: Client, group: int) -> list[dict[str, Any]]:
    found = await client.call("groups.getCallbackServers", group_id=group)
    items = found.get("items") if isinstance(found, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
