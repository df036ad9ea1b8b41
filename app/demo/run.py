"""The demo from its beginning to its end: people, channels, story, then living traffic."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import first_run
from app.core.config import Settings
from app.core.db import Database
from app.core.errors import Conflict
from app.core.files import open_files
from app.core.secrets import open_box
from app.demo import people, places, platforms, script
from app.demo.customers import Road
from app.demo.places import Desk
from app.demo.platforms import Platforms
from app.demo.seed import Story
from app.demo.traffic import Traffic
from channels import accounts
from channels.gateway import Gateway
from dialogs.models import Customer

_LOCK = 0x6F746B02
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Wishes:
    """What the command line says. `longest`: seconds between two customers' messages at the most."""

    locale: str = "ru"
    longest: float = 12
    once: bool = False
    seed: int | None = None
    sure: bool = False


@dataclass(frozen=True)
class Ready:
    """What to tell before the traffic begins. `admin`: a first administrator, when he was made by us."""

    new: bool
    admin: tuple[str, str] | None = None


async def run(
    database: Database, settings: Settings, wishes: Wishes, *, ready: Callable[[Ready], None]
) -> None:
    """Tell the story unless it is there, then let customers write until cancelled, or once."""
    desk = Desk(database, settings.model_copy(update={"undo_seconds": 0}), open_box(settings))
    async with _alone(database.url), platforms.running(shop=places.SHOP[wishes.locale == "en"]) as found:
        found.know(script.persons())
        since: datetime = await database.raw.fetchval("select clock_timestamp()")
        try:
            road, state = await _prepare(desk, found, wishes)
            try:
                ready(state)
                await _traffic(road, wishes, since)
            finally:
                await asyncio.shield(places.pause(desk, road.channels))
        finally:
            await accounts.close_all()


async def _traffic(road: Road, wishes: Wishes, since: datetime) -> None:
    dice = random.Random(wishes.seed)  # noqa: S311 - a play
    traffic = Traffic(road, dice, locale=wishes.locale, longest=wishes.longest, since=since)
    await traffic.begin()
    if wishes.once:
        await traffic.step()
        return
    await traffic.run()


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """One demo per database: the channels can point at one set of platforms only."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            raise Conflict("A demo runs on this database already: stop it first.")
        yield
    finally:
        await connection.close()


async def _prepare(desk: Desk, found: Platforms, wishes: Wishes) -> tuple[Road, Ready]:
    channels = await places.find(desk)
    async with desk.database.transaction() as session:
        done = await people.are_in(session)
        if not done:
            await _refuse_to_mix(session, channels, desk.settings, wishes)
        admin = await first_run.ensure(session, locale=wishes.locale)
    if done:
        await places.go_on(desk, found, channels)
        return _road(desk, found, channels), Ready(new=False)
    async with desk.database.transaction() as session:
        teams = await people.make_teams(session, wishes.locale)
        await people.make_agents(session, teams, wishes.locale)
    channels = await places.connect(desk, found, teams, wishes.locale)
    road = _road(desk, found, channels)
    await _tell(road, teams, wishes.locale)
    return road, Ready(new=True, admin=admin)


def _road(desk: Desk, found: Platforms, channels: Mapping[str, UUID]) -> Road:
    return Road(desk, found, channels, open_files(desk.settings), Gateway(desk.box, desk.settings))


async def _refuse_to_mix(
    session: AsyncSession, channels: Mapping[str, UUID], settings: Settings, wishes: Wishes
) -> None:
    if channels:
        raise Conflict(
            "An earlier demo was interrupted in the middle of its story: start with an empty data folder "
            "(OTKLIK_DATA_DIR) or database."
        )
    await refuse_strangers(session, settings, sure=wishes.sure)


async def refuse_strangers(session: AsyncSession, settings: Settings, *, sure: bool) -> None:
    """Raise `Conflict` where the demo's agents could be met from outside, or customers are real."""
    if sure:
        return
    if settings.public_url or settings.host not in _LOCAL:
        raise Conflict(
            "This server can be reached from outside, and the demo's agents all have a known password: "
            "run it on a local installation, or say --yes."
        )
    if await session.scalar(select(exists(select(Customer.id)))):
        raise Conflict("There are customers in this database: the demo would mix with them. Say --yes if so.")


async def _tell(road: Road, teams: Mapping[str, UUID], locale: str) -> None:
    database = road.desk.database
    now: datetime = await database.raw.fetchval("select clock_timestamp()")
    async with database.transaction() as session:
        staff = await people.viewers(session)
    story = Story(road, staff, teams, now=now.astimezone(UTC), start=now)
    for step in script.load(locale, now.astimezone(UTC)):
        await story.play(step)
    await story.finish()
    async with database.transaction() as session:
        await people.let_in(session)
