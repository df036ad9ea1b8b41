"""Search over messages: the newest that answer, best first among them, then those before.

It goes back in time step by step, each as far as the one before promises to be worth, so that neither
a word that stands in every message nor a viewer who may see few costs more than a moment. What a step
has found is ranked together; the cursor holds the bounds of that stretch.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import paging, partitions
from app.core.errors import Invalid
from dialogs import access, queries, search_words
from dialogs.models import Customer, Dialog, Message
from dialogs.schemas import CustomerRef, SearchHit, SearchPage

CANDIDATES = 500
"""Answers that a step takes at most."""
FIRST_STEP = 1000
"""Messages that the first step looks at."""
BUDGET = 0.1
"""Seconds after which no further step is begun."""
_GROWTH = 16
"""How many times longer than the one before a step may be."""
_RARE = 2
"""So few answers in the first step: perhaps there are few at all, and the index alone tells."""
_LAST = UUID(int=2**128 - 1)
Place = tuple[float, int]
"""A message's place in its stretch: its rank and its id, both negative, so that the best stands first."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages are looked at; `team_id` is the dialog's, `agent_id` the author."""

    channel_id: UUID | None = None
    team_id: UUID | None = None
    agent_id: UUID | None = None
    customer_id: UUID | None = None
    direction: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of time: messages with `low` <= id < `high`, and the ids of those found in it."""

    low: UUID
    high: UUID
    ids: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked, by whom."""

    viewer: Viewer
    query: str
    filters: Filters

    @property
    def has_phrase(self) -> bool:
        """Whether texts have to be read to know: the index does not hold the order of words."""
        return "<" in self.query


async def page(
    session: AsyncSession,
    viewer: Viewer,
    *,
    asked: str,
    typing: bool,
    filters: Filters,
    cursor: str | None,
    limit: int,
) -> SearchPage:
    """A page of what the viewer may find; `typing`: the last word may be unfinished."""
    query = await search_words.query_of(session, search_words.read(asked, typing=typing))
    if query is None:
        return SearchPage(items=[], nothing_asked=True)
    search = Search(viewer, query, filters)
    low, high, after = _position(cursor)
    floor = await _floor(session, filters)
    if low is None:
        high = min(high, _ceiling(filters))
        stretch = await _stretch(session, search, high=high, floor=floor, limit=limit)
    else:
        stretch = Stretch(low, high, await _seen(session, search, low=low, high=high))
    ranked = [place for place in await _ranked(session, search, stretch) if after is None or place > after]
    items = await _hits(session, query, [UUID(int=-place[1]) for place in ranked[:limit]])
    return SearchPage(items=items, next=_next(stretch, ranked, limit=limit, floor=floor), nothing_asked=False)


def _position(cursor: str | None) -> tuple[UUID | None, UUID, Place | None]:
    """Where to go on: below `high`, or in the stretch from `low` to it, behind a place."""
    if cursor is None:
        return None, _LAST, None
    try:
        high, low, rank, id = paging.decode(cursor, length=4)
        if low is None:
            return None, UUID(high), None
        return UUID(low), UUID(high), (-float(rank), -UUID(id).int)
    except (ValueError, TypeError, AttributeError):
        raise Invalid("`cursor` must be the `next` of a page of the same search.") from None


def _next(stretch: Stretch, ranked: Sequence[Place], *, limit: int, floor: UUID) -> str | None:
    if len(ranked) > limit:
        rank, id = ranked[limit - 1]
        return paging.encode([str(stretch.high), str(stretch.low), -rank, str(UUID(int=-id))])
    return paging.encode([str(stretch.low), None, None, None]) if stretch.low > floor else None


# --- going back in time ----------------------------------------------------------------------


async def _floor(session: AsyncSession, filters: Filters) -> UUID:
    """The oldest message there is, or the first there may be."""
    oldest = await session.scalar(select(Message.id).order_by(Message.id).limit(1))
    return max(oldest or _LAST, partitions.first_id(filters.since) if filters.since else UUID(int=0))


def _ceiling(filters: Filters) -> UUID:
    return partitions.first_id(filters.until + timedelta(hours=1)) if filters.until else _LAST


async def _stretch(session: AsyncSession, search: Search, *, high: UUID, floor: UUID, limit: int) -> Stretch:
    """Step by step back from `high` until there is a page of answers, or time is up."""
    began = time.perf_counter()
    ids: list[UUID] = []
    top, low = await _first_step(session, high)
    bottom = top
    while bottom > floor:
        rows = await _answers(session, search, low=max(low, floor), high=bottom)
        ids += [id for id, seen in rows[:CANDIDATES] if seen]
        reached = rows[CANDIDATES - 1][0] if len(rows) > CANDIDATES else max(low, floor)
        if len(ids) >= limit or reached <= floor or time.perf_counter() - began > BUDGET:
            return Stretch(reached, top, ids)
        if bottom == top and len(rows) <= _RARE and not search.has_phrase:
            rest = await _answers(session, search, low=floor, high=reached, all_if_few=True)
            if len(rest) <= CANDIDATES:
                return Stretch(floor, top, ids + [id for id, seen in rest if seen])
        worth = min(_GROWTH, CANDIDATES / max(1, len(rows)))
        low = _earlier(reached, int((_time(bottom) - _time(reached)) * worth) + 1)
        bottom = reached
    return Stretch(bottom, top, ids)


async def _seen(session: AsyncSession, search: Search, *, low: UUID, high: UUID) -> list[UUID]:
    """All that the viewer may see of a stretch that was gone through before."""
    ids: list[UUID] = []
    while high > low:
        rows = await _answers(session, search, low=low, high=high)
        ids += [id for id, seen in rows[:CANDIDATES] if seen]
        high = rows[CANDIDATES - 1][0] if len(rows) > CANDIDATES else low
    return ids


async def _first_step(session: AsyncSession, high: UUID) -> tuple[UUID, UUID]:
    """Bounds of the newest messages below `high`."""
    newest = select(Message.id).where(Message.id < high).order_by(Message.id.desc()).limit(1)
    top, low = (
        await session.execute(select(newest.scalar_subquery(), newest.offset(FIRST_STEP).scalar_subquery()))
    ).one()
    if top is None:
        return UUID(int=0), UUID(int=0)
    return UUID(int=top.int + 1), low or UUID(int=0)


def _time(id: UUID) -> int:
    return id.int >> 80


def _earlier(id: UUID, milliseconds: int) -> UUID:
    return UUID(int=max(0, id.int - (milliseconds << 80)))


# --- reading ---------------------------------------------------------------------------------


async def _answers(
    session: AsyncSession, search: Search, *, low: UUID, high: UUID, all_if_few: bool = False
) -> list[tuple[UUID, bool]]:
    """Messages of a stretch that answer, newest first, and whether the viewer may see each.

    One more than `CANDIDATES` at most, so that one knows of the rest; `all_if_few`: any of them then. The
    server joins the index of words with that of ids before it reads a message; the order of words in a phrase
    is looked at in what is left, and rights are asked last.
    """
    where = [*_between(low, high), *_chosen(search.filters)]
    answer = select(Message.id, Message.dialog_id).where(*where)
    answers = []
    if search.has_phrase:
        answer = answer.add_columns(Message.text).where(
            search_words.holds(search_words.unordered(search.query))
        )
        answers = [search_words.holds(search.query, text="found.text")]
    else:
        answer = answer.where(search_words.holds(search.query))
    if all_if_few:
        answer = answer.limit(CANDIDATES + 1)
    found = answer.cte("found").prefix_with("MATERIALIZED")
    newest = (
        select(found).where(*answers).order_by(found.c.id.desc()).limit(CANDIDATES + 1).subquery("newest")
    )
    seen = access.in_sight(search.viewer, newest.c.dialog_id)
    rows = await session.execute(select(newest.c.id, seen.label("seen")).order_by(newest.c.id.desc()))
    return [(id, is_seen) for id, is_seen in rows]


def _between(low: UUID, high: UUID) -> list[ColumnElement[bool]]:
    """Ids from `low` on, below `high`.

    The planner takes any two bounds that lie close together for one row, and would rather read all texts
    between them than look into the index of words. So it is told of the upper one by the month alone.
    """
    where = [Message.id >= low, func.uuid_lt(Message.id, high)]
    month_after = _month_after(high)
    return [*where, Message.id < month_after] if month_after < _LAST else where


def _month_after(id: UUID) -> UUID:
    """The first id of the month that follows; the last one of all when that is still to come."""
    if _time(id) >= time.time() * 1000:
        return _LAST
    month = partitions.month(datetime.fromtimestamp(_time(id) / 1000, UTC))
    return partitions.first_id(partitions.later(month, 1))


def _chosen(filters: Filters) -> list[ColumnElement[bool]]:
    where = [Message.direction != "system"]
    for column, value in (
        (Message.channel_id, filters.channel_id),
        (Message.customer_id, filters.customer_id),
        (Message.author_id, filters.agent_id),
        (Message.direction, filters.direction),
    ):
        if value is not None:
            where.append(column == value)
    if filters.since is not None:
        where.append(Message.created_at >= filters.since)
    if filters.until is not None:
        where.append(Message.created_at < filters.until)
    if filters.team_id is not None:
        team = select(Dialog.team_id).where(Dialog.id == Message.dialog_id).scalar_subquery()
        where.append(team == filters.team_id)
    return where


async def _ranked(session: AsyncSession, search: Search, stretch: Stretch) -> list[Place]:
    """The stretch's messages, best first; among equals the newest."""
    rows = await session.execute(
        select(search_words.rank(search.query), Message.id).where(
            Message.id >= stretch.low, Message.id < stretch.high, Message.id.in_(stretch.ids)
        )
    )
    return sorted((-rank, -id.int) for rank, id in rows)


async def _hits(session: AsyncSession, query: str, ids: Sequence[UUID]) -> list[SearchHit]:
    """What is shown of these messages, in this order."""
    if not ids:
        return []
    rows = await session.execute(
        select(Message, Dialog.number, Customer.name, Customer.avatar_key, search_words.marked_text(query))
        .join(Dialog, Dialog.id == Message.dialog_id)
        .join(Customer, Customer.id == Message.customer_id)
        .where(Message.id.in_(ids))
    )
    found = {row[0].id: _hit(*row) for row in rows}
    return [found[id] for id in ids if id in found]


def _hit(message: Message, number: int, name: str, avatar_key: str | None, marked: str) -> SearchHit:
    avatar_url = queries.avatar_url(message.customer_id, avatar_key)
    return SearchHit.model_construct(
        message_id=message.id,
        seq=message.seq,
        direction=message.direction,
        created_at=message.created_at,
        author_id=message.author_id,
        channel_id=message.channel_id,
        dialog_id=message.dialog_id,
        dialog_number=number,
        customer=CustomerRef(id=message.customer_id, name=name, avatar_url=avatar_url),
        fragment=search_words.fragment(message.text, marked),
    )
