"""Names and faces, asked from platforms whose events do not bring them."""

import asyncio

import pytest

from channels.base import Rejected, Sender
from dialogs import profiles
from tests.dialogs.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_many_are_asked_for_at_the_same_moment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a platform that can tells of all of them in one call; who is not known keeps nobody's name."""
    await desk.db.raw.execute("update identities set profiled_at = now() where profiled_at is null")
    chat = await desk.chat("deduplicating")
    people = [f"person{number}" for number in range(profiles.TOGETHER + 3)]
    for who in people:
        await chat.write(who)
    await desk.db.raw.execute(
        "update identities set name = '', profiled_at = null where external_id = any($1)", people
    )
    asked: list[set[str]] = [set()]

    async def profile(who: str) -> Sender | None:
        together = asked[-1]
        together.add(who)
        await asyncio.sleep(0)
        if who == people[0]:
            raise Rejected("nobody of that name")
        return Sender("", who, name=f"Name of {who}")

    monkeypatch.setattr(chat.adapter, "profile", profile)
    settings, files = desk.world.app.state.settings, desk.world.app.state.files
    while await profiles.turn(desk.db, desk.gateway, files, settings):
        asked.append(set())
    assert [len(some) for some in asked] == [profiles.TOGETHER, 3, 0]
    rows = await desk.rows("select external_id, name from identities where external_id = any($1)", people)
    names = {row["external_id"]: row["name"] for row in rows}
    assert names == {who: f"Name of {who}" for who in people} | {people[0]: ""}
