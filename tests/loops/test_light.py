"""The web process stays light: libraries of platforms are the worker's."""

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.agents import tokens
from channels import drafts
from channels.api.adapter import ApiAdapter
from channels.models import Channel, ChannelTeam
from dialogs import inbox
from tests.api.conftest import World
from tests.helpers import eventually

ROOT = Path(__file__).parents[2]


async def add_telegram(world: World) -> tuple[Channel, str]:
    """A connected bot and its webhook secret; nobody calls Telegram."""
    settings = {"token": "1:abc", "transport": "webhook"}
    async with world.database.transaction() as session:
        id = await drafts.new_id(session)
        draft = await drafts.draft(id, kind="telegram", name="Bot", settings=settings)
        channel = Channel(
            id=id,
            kind="telegram",
            name="Bot",
            external_id="1",
            webhook_key=draft.webhook_key,
            settings=draft.public(),
            secrets=world.app.state.box.seal(draft.secrets()),
            info={"username": "bot"},
        )
        session.add(channel)
        await session.flush()
        session.add(ChannelTeam(channel_id=id, team_id=world.support))
    return channel, draft.webhook_secret


def update(number: int, text: str) -> dict[str, Any]:
    chat = {"id": 5, "type": "private", "first_name": "Анна"}
    sender = {"id": 5, "is_bot": False, "first_name": "Анна"}
    message = {"message_id": number, "date": 1_760_000_000, "chat": chat, "from": sender, "text": text}
    return {"update_id": number, "message": message}


async def test_the_web_process_does_without_aiogram(world: World) -> None:
    channel, secret = await add_telegram(world)
    hook = f"/hooks/{channel.webhook_key}"
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
    state = world.app.state
    assert (await world.admin.post(hook, json=update(1, "Привет"), headers=headers)).status_code == 200
    await inbox.drain(state.database, state.gateway, state.settings)
    assert await world.database.raw.fetchval("select state from inbound") == "done"
    async with world.database.transaction() as session:
        _, token = await tokens.issue(
            session, agent_id=world.admin.agent_id, name="x", scopes=["read", "write", "admin"]
        )
    told = {
        "url": world.database.url,
        "folder": str(state.settings.data_dir),
        "key": state.settings.secret_key,
        "hook": hook,
        "secret": secret,
        "token": token,
        "dialog": str(await world.database.raw.fetchval("select id from dialogs")),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.loops.light", json.dumps(told)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    found = json.loads(printed.splitlines()[-1])
    print(found)
    assert found["statuses"] == [200, 200, 200, 201]
    assert found["aiogram"] is False
    assert await world.database.raw.fetchval("select count(*) from inbound where state = 'new'") == 1


async def test_the_web_process_leaves_heavy_kinds_to_the_worker(world: World) -> None:
    channel, secret = await add_telegram(world)
    rung: list[bool] = []
    world.database.bell.on_ring(lambda: rung.append(True))
    await world.admin.post(
        f"/hooks/{channel.webhook_key}",
        json=update(1, "Привет"),
        headers={"X-Telegram-Bot-Api-Secret-Token": secret},
    )
    assert rung, "the worker is told"
    light = {"event_id": "e", "sender": {"external_id": "7"}, "text": "light"}
    await world.admin.post(f"/channels/{world.chat}/inbound", json=light)
    raw = world.database.raw
    await eventually(lambda: raw.fetchval("select true from messages where text = 'light'"))
    assert await raw.fetchval("select state from inbound where channel_id = $1", channel.id) == "new"


@pytest.mark.parametrize(("length", "in_thread"), [(10, False), (70_000, True)])
async def test_large_payloads_are_parsed_in_a_thread(
    world: World, monkeypatch: pytest.MonkeyPatch, length: int, in_thread: bool
) -> None:
    threads: list[threading.Thread] = []
    parse = ApiAdapter.parse

    def watched(self: ApiAdapter, payload: bytes) -> Any:
        threads.append(threading.current_thread())
        return parse(self, payload)

    monkeypatch.setattr(ApiAdapter, "parse", watched)
    file = {"name": "a.txt", "mime": "text/plain", "content_base64": "A" * (length // 4 * 4)}
    event = {"event_id": "e", "sender": {"external_id": "7"}, "text": "x", "files": [file]}
    answer = await world.admin.post(f"/channels/{world.chat}/inbound", json=event)
    assert answer.status_code == 202, answer.text
    await eventually(lambda: world.database.raw.fetchval("select count(*) from messages"))
    assert [thread is not threading.main_thread() for thread in threads] == [in_thread]
