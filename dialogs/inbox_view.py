"""The inbox: which dialogs a view shows, in which order, page by page; and how many there are."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import paging
from app.core.db import RawConnection, driver
from app.core.errors import Invalid
from dialogs import access, queries
from dialogs.access import Ground
from dialogs.listing import PLACE_BY_TIME, PLACE_BY_WAIT
from dialogs.schemas import DialogRow, DialogStatus

View = Literal["mine", "unassigned", "team", "all"]
Sort = Literal["waiting", "recent"]

_FIELDS = tuple(sorted(DialogRow.model_fields.keys() - {"customer", "unread"}))
_PAGE = f"""
with page as materialized (
    select distinct on (d.at, d.id) d.* from ({{sources}}) d order by d.at, d.id limit $1
)
select {", ".join(f"d.{field}" for field in _FIELDS)}, d.at, d.customer_id, c.name, c.avatar_key,
       greatest(0, d.inbound_count - coalesce(r.inbound_count, 0)) as unread
from page d
join customers c on c.id = d.customer_id
left join (
    select r.dialog_id, r.inbound_count from dialog_reads r
    where r.agent_id = $2 and r.dialog_id = any(array(select p.id from page p))
) r on r.dialog_id = d.id
order by d.at, d.id
"""  # noqa: S608 - constants only
_SOURCE = """
(select d.*, {at} as at from dialogs d where d.status = '{status}' and ({{ground}}){filters}
 order by at, d.id limit $1)
"""
_COUNTS = """
select count(*) filter (where d.assignee_id = $1) as mine,
       count(*) filter (where d.assignee_id is null) as unassigned,
       count(*) filter (where d.team_id = any($2)) as team,
       count(*) as "all"
from ({sources}) d
"""
_COUNTED = "select d.id, d.assignee_id, d.team_id from dialogs d where d.status = 'open' and ({ground})"


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
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the inbox in the form of `DialogRow`, and the cursor of the next one.

    `waiting`: who waits longest first, then those who do not, newest first. Each ground on which the
    viewer sees dialogs is a source in the order of an index, and the sources are merged: no more rows
    are read than the page shows, however many there are.
    """
    connection = await driver(session)
    grounds = await _of_view(connection, viewer, view)
    if words.strip():
        grounds = _matching(words.strip(), grounds)
    values: list[Any] = [limit + 1, viewer.agent_id]
    at = _order(status, sort)
    filters = [Ground("d.channel_id = {}", (channel_id,))] if channel_id else []
    if cursor is not None:
        filters.append(Ground(f"({at}, d.id) > ({{}}, {{}})", _position(cursor)))
    narrowed = "".join(f" and {one.written(values)}" for one in filters)
    source = _SOURCE.format(at=at, status=status, filters=narrowed)
    rows = await _fetch(connection, source, grounds, values)
    more = len(rows) > limit
    following = paging.encode([rows[limit - 1]["at"], str(rows[limit - 1]["id"])]) if more else None
    return [_row(row) for row in rows[:limit]], following


def _order(status: DialogStatus, sort: Sort) -> str:
    """What to sort by: the stored place, unless another order was asked for than the status has."""
    if (sort == "waiting") == (status == "open") or status == "closed":
        return "d.place"
    return PLACE_BY_WAIT if sort == "waiting" else PLACE_BY_TIME


async def _of_view(connection: RawConnection, viewer: Viewer, view: View) -> list[Ground]:
    if view == "mine":
        return [Ground("d.assignee_id = {}", (viewer.agent_id,))]
    if view == "team":
        return [Ground("d.team_id = {}", (team,)) for team in viewer.team_ids]
    return await access.grounds(connection, viewer, unassigned=view == "unassigned")


def _position(cursor: str) -> tuple[int, UUID]:
    at, id = paging.decode(cursor, length=2)
    try:
        return int(at), UUID(id)
    except (AttributeError, TypeError, ValueError):
        raise Invalid("`cursor` must be the `next` of a page of the same list.") from None


def _matching(words: str, grounds: list[Ground]) -> list[Ground]:
    """Whose customer holds the words; or the dialog of that number."""
    seen = access.either(grounds)
    found = [Ground(f"d.customer_id in ({queries.MATCHING})", (queries.like(words),) * 2)]
    number = words.lstrip("#№ ")
    if number.isascii() and number.isdecimal() and len(number) < 18:
        found.append(Ground("d.number = {}", (int(number),)))
    return [Ground(f"{one.sql} and ({seen.sql})", one.keys + seen.keys) for one in found]


async def _fetch(
    connection: RawConnection, source: str, grounds: list[Ground], values: list[Any]
) -> list[Any]:
    if not grounds:
        return []
    sources = " union all ".join(source.replace("{ground}", ground.written(values)) for ground in grounds)
    return list(await connection.fetch(_PAGE.format(sources=sources), *values))


def _row(row: Any) -> dict[str, Any]:
    values = dict(row)
    del values["at"]
    id = values.pop("customer_id")
    avatar_url = queries.avatar_url(id, values.pop("avatar_key"))
    values["customer"] = {"id": id, "name": values.pop("name"), "avatar_url": avatar_url}
    return values


async def counts(session: AsyncSession, viewer: Viewer) -> dict[str, int]:
    """How many open dialogs each view holds."""
    connection = await driver(session)
    values: list[Any] = [viewer.agent_id, list(viewer.team_ids)]
    sources = " union ".join(
        _COUNTED.format(ground=ground.written(values)) for ground in await access.grounds(connection, viewer)
    )
    return dict(await connection.fetchrow(_COUNTS.format(sources=sources), *values))
