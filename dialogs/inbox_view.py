"""The inbox: which dialogs a view shows, in which order, page by page; and how many there are."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import DOUBLE_PRECISION, ColumnElement, and_, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import paging
from dialogs import access, queries
from dialogs.models import Customer, Dialog
from dialogs.schemas import DialogRow, DialogStatus

View = Literal["mine", "unassigned", "team", "all"]
Sort = Literal["waiting", "recent"]


def of_view(viewer: Viewer, view: View) -> ColumnElement[bool]:
    """Dialogs of a view that the viewer may see."""
    seen = access.visible(viewer)
    if view == "mine":
        return and_(seen, Dialog.assignee_id == viewer.agent_id)
    if view == "unassigned":
        return and_(seen, Dialog.assignee_id.is_(None))
    if view == "team":
        return and_(seen, Dialog.team_id.in_(viewer.team_ids))
    return seen


async def page(
    session: AsyncSession,
    viewer: Viewer,
    *,
    view: View,
    status: DialogStatus,
    channel_id: UUID | None,
    sort: Sort,
    words: str,
    cursor: str | None,
    limit: int,
) -> paging.Page[DialogRow]:
    """A page of the inbox. `waiting`: who waits longest first, then those who do not, newest first."""
    where: list[ColumnElement[bool]] = [of_view(viewer, view), Dialog.status == status]
    if channel_id is not None:
        where.append(Dialog.channel_id == channel_id)
    if words.strip():
        where.append(_matching(words.strip()))
    rank = _waiting_rank() if sort == "waiting" else _recent_rank()
    if cursor is not None:
        value, id = paging.decode(cursor, length=2)
        where.append(or_(rank > value, and_(rank == value, Dialog.id > UUID(id))))
    rows = await queries.dialog_rows(
        session, agent_id=viewer.agent_id, where=where, order=[rank, Dialog.id.asc()], limit=limit + 1
    )
    following = None
    if len(rows) > limit:
        last = rows[limit - 1].id
        value = await session.scalar(select(rank).where(Dialog.id == last))
        following = paging.encode([float(value or 0), str(last)])
    return paging.Page(items=rows[:limit], next=following)


def _waiting_rank() -> ColumnElement[Any]:
    """Seconds since 1970 of the beginning of the wait; far beyond any of them for who does not wait."""
    waits = func.extract("epoch", Dialog.waiting_since)
    return cast(func.coalesce(waits, 1e11 - func.extract("epoch", Dialog.last_message_at)), DOUBLE_PRECISION)


def _recent_rank() -> ColumnElement[Any]:
    return cast(-func.extract("epoch", Dialog.last_message_at), DOUBLE_PRECISION)


def _matching(words: str) -> ColumnElement[bool]:
    number = words.lstrip("#№ ")
    found = Dialog.customer_id.in_(select(Customer.id).where(queries.matches(words)))
    return or_(found, Dialog.number == int(number)) if number.isdecimal() else found


async def counts(session: AsyncSession, viewer: Viewer) -> dict[str, int]:
    """How many open dialogs each view holds."""
    query = select(
        *(
            func.count().filter(of_view(viewer, view)).label(view)
            for view in ("mine", "unassigned", "team", "all")
        )
    ).where(Dialog.status == "open", access.visible(viewer))
    row = (await session.execute(query)).one()
    return dict(row._mapping)
