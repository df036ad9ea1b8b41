"""Reading the state with a cursor, and the log over plain HTTP."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.agents import people, teams
from app.agents.api import me_get
from app.agents.deps import Caller
from app.agents.schemas import AgentOut, Me, TeamOut
from app.core import facts, paging
from app.core.db import WAIT_SECONDS
from app.core.deps import Config, Session
from app.web import frames
from app.web.feed import Feed
from channels import rest as channel_rest
from channels.schemas import ChannelOut
from dialogs import access, inbox_view
from tasks import queries as task_queries

router = APIRouter(tags=["Live"])


class Limits(BaseModel):
    """Settings a client has to know."""

    undo_seconds: float
    max_file_bytes: int
    version: str


class State(BaseModel):
    """What a console needs before it connects to `/api/v1/live?after=<cursor>`."""

    cursor: str = Field(description="Everything up to here is contained in state read from now on.")
    me: Me
    agents: list[AgentOut]
    teams: list[TeamOut]
    channels: list[ChannelOut]
    counts: dict[str, int]
    settings: Limits


@router.get("/sync", operation_id="state_get")
async def state_get(request: Request, session: Session, caller: Caller, settings: Config) -> State:
    """The state to start from; then read lists, and open the websocket after `cursor`."""
    feed: Feed = request.app.state.feed
    async with request.app.state.database.raw.acquire(timeout=WAIT_SECONDS) as connection:
        head = await facts.head(connection)
    agents = await people.list_all(session)
    mine = await me_get(caller, session)
    counts = await inbox_view.counts(session, caller) | await task_queries.counts(session, caller)
    return State(
        cursor=facts.encode(head, epoch=feed.epoch),
        me=mine,
        agents=agents,
        teams=await teams.list_all(session),
        channels=await channel_rest.list_all(session),
        counts=counts,
        settings=Limits(
            undo_seconds=settings.undo_seconds,
            max_file_bytes=settings.max_file_bytes,
            version=request.app.version,
        ),
    )


@router.get("/events", operation_id="events_list", response_class=Response)
async def events_list(
    request: Request, session: Session, caller: Caller, after: str, limit: paging.Limit = 100
) -> Response:
    """Facts after a cursor that the caller may see, each with the present state of what it is about.

    Answers `{"items": [...], "cursor": "...", "more": bool}`; go on with `cursor`. A cursor of another
    log (after a restore), or one so old that facts after it were forgotten, is answered 409 `resync`.
    """
    feed: Feed = request.app.state.feed
    position = facts.decode(after, epoch=feed.epoch)
    rows = await facts.read(request.app.state.database.raw, position, limit=limit)
    await facts.need_kept(request.app.state.database.raw, position)
    keys = access.keys(caller, channel_ids=await access.served_channels(session, caller))
    items: list[bytes] = []
    for frame in await frames.build(feed.database, rows, epoch=feed.epoch):
        if keys & frame.audience:
            items.append(frame.fact)
        elif keys & frame.was and frame.hidden is not None:
            items.append(frame.hidden)
    last = rows[-1].position if rows else position
    tail = frames.dumps({"cursor": facts.encode(last, epoch=feed.epoch), "more": len(rows) == limit})
    body = b'{"items":[' + b",".join(items) + b"]," + tail[1:]
    return Response(body, media_type="application/json")
