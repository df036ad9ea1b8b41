"""The feed and tasks: whoever follows the log ends with the tasks that the API shows him."""

import random
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from app.core import facts
from app.core.facts import Position
from app.web import frames
from dialogs import access as dialog_access
from dialogs import lifecycle
from tasks import access, links, queries, tasks
from tasks.models import Task
from tasks.schemas import TaskChange
from tests.tasks.office import Office

EVERYBODY = ("anna", "sergey", "lena", "boris", "max", "root")


class Followers:
    """Consoles that never left: what each of them knows after the facts so far."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.place = Position(0, 0)
        self.tasks: dict[str, dict[str, Any]] = {name: {} for name in EVERYBODY}

    async def follow(self) -> None:
        hidden = True
        while hidden:  # transactions of other tests on the same server hide facts for a moment
            rows, hidden = await facts.look(self.office.db.raw, self.place, limit=500)
        if not rows:
            return
        self.place = rows[-1].position
        async with self.office.db.transaction() as session:
            epoch = await facts.epoch(session)
        built = await frames.build(self.office.db, rows, epoch=epoch)
        for name in EVERYBODY:
            keys = await self.keys(name)
            for frame in built:
                if frame.audience & keys:
                    self.take(name, orjson.loads(frame.fact))
                elif frame.hidden and frame.was & keys:
                    self.take(name, orjson.loads(frame.hidden))

    async def keys(self, name: str) -> frozenset[str]:
        viewer = await self.office.viewer(name)
        async with self.office.db.transaction() as session:
            served = await dialog_access.served_channels(session, viewer)
        return dialog_access.keys(viewer, channel_ids=served)

    def take(self, name: str, fact: dict[str, Any]) -> None:
        if fact["type"] == "task.hidden":
            self.tasks[name].pop(fact["task_id"], None)
        elif "task" in fact:
            self.tasks[name][fact["task"]["id"]] = fact["task"]


async def shown(office: Office, name: str) -> dict[str, Any]:
    """What the API shows him."""
    viewer = await office.viewer(name)
    async with office.db.transaction() as session:
        items, _ = await queries.page(
            session, where=[access.visible(viewer)], newest_first=False, after=None, limit=200
        )
    return {str(task.id): orjson.loads(frames.dumps(task)) for task in items}


async def test_who_follows_the_log_knows_what_the_api_shows(office: Office) -> None:
    pick = random.Random(11)
    root, followers = await office.viewer("root"), Followers(office)
    agents, teams = list(office.agents.values()), [*office.teams.values(), None]
    dialogs = [await office.dialog(assignee_id=pick.choice([*agents, None])) for _ in range(4)]
    made: list[UUID] = []

    async def make() -> None:
        linked = pick.sample(dialogs, pick.choice([0, 1, 2]))
        made.append((await office.task("root", owner_id=pick.choice(agents), dialog_ids=linked)).id)

    async def step(number: int) -> None:
        task, dialog = pick.choice(made), pick.choice(dialogs)
        async with office.db.transaction() as session:
            if number == 0:
                await tasks.change(session, root, task, TaskChange(owner_id=pick.choice(agents)))
            elif number == 1:
                await tasks.change(session, root, task, TaskChange(team_id=pick.choice(teams)))
            elif number == 2:
                await tasks.change(session, root, task, TaskChange(status=pick.choice(["done", "waiting"])))
            elif number == 3:
                await links.link_dialog(session, root, task, dialog)
            elif number == 4:
                await links.unlink_dialog(session, root, task, dialog)
            else:
                changes = {"assignee_id": pick.choice([*agents, None]), "team_id": pick.choice(teams)}
                await lifecycle.assign(session, root, dialog, changes)

    for _ in range(3):
        await make()
    for turn in range(48):
        await (make() if turn % 12 == 11 else step(turn % 6))
        await followers.follow()
        if turn % 8 == 7:
            for name in EVERYBODY:
                assert followers.tasks[name] == await shown(office, name), (turn, name)
    async with office.db.transaction() as session:
        assert await session.scalar(text("select count(*) from tasks")) == len(made)
        assert await session.get(Task, made[0])
