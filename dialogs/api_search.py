"""REST of the search over messages and of the reports."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from app.agents.deps import Caller
from app.core import paging
from app.core.deps import Session
from app.core.errors import Invalid
from dialogs import reports, search
from dialogs.report_schemas import FirstResponseReport
from dialogs.schemas import SearchPage

router = APIRouter()
Asked = Annotated[str, Query(max_length=200, description='Words, `"a phrase"`, `or`, `-not`, numbers.')]
Typing = Annotated[bool, Query(description="The last word may be unfinished: also find words that begin so.")]
Since = Annotated[datetime | None, Query(description="Not before; with a time zone.")]
Until = Annotated[datetime | None, Query(description="Before; with a time zone.")]


@router.get("/search", operation_id="search_messages", tags=["Search"])
async def search_messages(
    session: Session,
    caller: Caller,
    q: Asked,
    typing: Typing = False,
    channel_id: UUID | None = None,
    team_id: Annotated[UUID | None, Query(description="Team of the dialog.")] = None,
    agent_id: Annotated[UUID | None, Query(description="Author of the message.")] = None,
    customer_id: UUID | None = None,
    direction: Literal["in", "out", "note"] | None = None,
    since: Since = None,
    until: Until = None,
    cursor: paging.Cursor = None,
    limit: Annotated[int, Query(ge=1, le=50, description="How many items at most.")] = 20,
) -> SearchPage:
    """Messages of the threads the caller may see: the best of the newest first, then those before."""
    for at in (since, until):
        if at is not None and at.tzinfo is None:
            raise Invalid("`since` and `until` need a time zone, as in 2026-01-31T09:00:00Z.")
    filters = search.Filters(channel_id, team_id, agent_id, customer_id, direction, since, until)
    return await search.page(
        session, caller, asked=q, typing=typing, filters=filters, cursor=cursor, limit=limit
    )


@router.get("/reports/first-response", operation_id="report_first_response", tags=["Reports"])
async def report_first_response(
    session: Session,
    caller: Caller,
    first_day: Annotated[
        date | None, Query(alias="from", description="First day; a month ago if left out.")
    ] = None,
    last_day: Annotated[
        date | None, Query(alias="to", description="Last day, with all of it; today.")
    ] = None,
    tz: Annotated[
        str | None, Query(max_length=64, description="Time zone of the days; the caller's own.")
    ] = None,
    channel_id: UUID | None = None,
    team_id: UUID | None = None,
) -> FirstResponseReport:
    """First answers to dialogs that began in the period: an agent's own, a lead's teams', an admin's all."""
    period = reports.days(first_day, last_day, time_zone=tz or caller.time_zone)
    return await reports.first_response(
        session, caller, period=period, channel_id=channel_id, team_id=team_id
    )
