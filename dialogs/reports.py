"""Reports over dialogs. They read what dialogs keep of themselves, by an index alone, never messages."""

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent
from app.agents.viewer import Viewer
from app.core import clock
from app.core.errors import Invalid
from dialogs.models import Dialog
from dialogs.report_schemas import AgentFirstResponses, FirstResponseReport, FirstResponses

USUAL_DAYS = 30
MOST_DAYS = 731


class Period(NamedTuple):
    """From `start` on, before `end`."""

    start: datetime
    end: datetime


def days(first: date | None, last: date | None, *, time_zone: str) -> Period:
    """Whole days as people there count them, the last one included; raises `Invalid`."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("`tz` must be a time zone, as `Europe/Moscow`.") from None
    last = last or clock.now().astimezone(zone).date()
    first = first or last - timedelta(days=min(USUAL_DAYS - 1, (last - date.min).days))
    if not date(1970, 1, 1) < first <= last < date(9000, 1, 1) or (last - first).days >= MOST_DAYS:
        raise Invalid(f"`from` must not be after `to`, nor more than {MOST_DAYS} days before the end of it.")
    return Period(
        datetime.combine(first, time.min, zone), datetime.combine(last + timedelta(days=1), time.min, zone)
    )


async def first_response(
    session: AsyncSession,
    viewer: Viewer,
    *,
    period: Period,
    channel_id: UUID | None = None,
    team_id: UUID | None = None,
) -> FirstResponseReport:
    """First answers to the dialogs that began in the period, by agent.

    An agent sees his own, a lead those of his teams' members, an administrator all. Dialogs that we began
    do not count, nor answers in a platform's own interface: nobody knows whose they are.
    """
    where = [Dialog.first_response_by.is_not(None), *_reach(viewer)]
    where += [Dialog.created_at >= period.start, Dialog.created_at < period.end]
    if channel_id is not None:
        where.append(Dialog.channel_id == channel_id)
    if team_id is not None:
        where.append(Dialog.team_id == team_id)
    rows = (await session.execute(_query(where))).all()
    total = [row for row in rows if row[0] is None]
    return FirstResponseReport(
        starts_at=period.start,
        ends_at=period.end,
        agents=await _by_agent(session, [row for row in rows if row[0] is not None]),
        total=_figures(total[0])
        if total
        else FirstResponses(answered=0, average=None, median=None, p90=None),
    )


def _reach(viewer: Viewer) -> list[ColumnElement[bool]]:
    if viewer.is_admin:
        return []
    return [Dialog.first_response_by.in_({viewer.agent_id} | viewer.mate_ids)]


def _query(where: list[ColumnElement[bool]]) -> Any:
    """A row per agent, and one without an agent over all."""
    seconds = func.extract("epoch", Dialog.first_response_at - Dialog.created_at)
    shares = func.percentile_cont(literal_column("array[0.5, 0.9]")).within_group(seconds)
    agent = Dialog.first_response_by
    return (
        select(agent, func.count(), func.avg(seconds), shares)
        .where(*where)
        .group_by(func.grouping_sets(agent, tuple_()))
    )


def _figures(row: Any) -> FirstResponses:
    return FirstResponses(**_values(row))


def _values(row: Any) -> dict[str, Any]:
    _, count, average, shares = row
    median, p90 = shares or (None, None)
    return {"answered": count, "average": average, "median": median, "p90": p90}


async def _by_agent(session: AsyncSession, rows: list[Any]) -> list[AgentFirstResponses]:
    names: dict[UUID, str] = {}
    query = select(Agent.id, Agent.name).where(Agent.id.in_([row[0] for row in rows]))
    for agent_id, name in await session.execute(query):
        names[agent_id] = name
    found = [AgentFirstResponses(agent_id=row[0], name=names.get(row[0], ""), **_values(row)) for row in rows]
    return sorted(found, key=lambda agent: (-agent.answered, agent.name))
