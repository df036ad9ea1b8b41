"""Our fake VK against `vk-io`, a client nobody here wrote: what it makes of the fake is what real clients do.

Also whether it and we build the same keyboard.
"""

import asyncio
import fcntl
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.acts import Button
from channels.vk.keyboard import keyboard
from tests.fakes.vk import GROUP, FakeVk
from tests.helpers import eventually, require

FOLDER = Path(__file__).parent.parent / "peers" / "vk-io"


def install() -> None:
    """Install the peer once, whoever comes first."""
    npm = require("npm", "for vk-io")
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / ".package-lock.json").exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=FOLDER, check=True, timeout=110, capture_output=True)


class Peer:
    """The running client."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, do: str, **given: Any) -> Any:
        """What it answers, or `{"refused": code}`; what it hears meanwhile is skipped."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": do} | given).encode() + b"\n")
        said = await self.hears("answer", "refused")
        return said.get("answer", said)

    async def call(self, method: str, **params: Any) -> Any:
        return await self.ask("call", method=method, params=params)

    async def hears(self, *names: str) -> dict[str, Any]:
        """The next thing it says with one of these names."""
        assert self._process.stdout
        async with asyncio.timeout(20):
            while True:
                said: dict[str, Any] = json.loads(await self._process.stdout.readline())
                if any(name in said for name in names):
                    return said


@pytest.fixture
async def fake() -> AsyncIterator[FakeVk]:
    async with FakeVk() as fake:
        fake.customer_writes(text="Начать")
        yield fake


@pytest.fixture
async def peer(fake: FakeVk) -> AsyncIterator[Peer]:
    node = require("node", "for vk-io")
    await asyncio.to_thread(install)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    given = ("client.cjs", fake.url, fake.token, str(GROUP))
    environment = {"PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(node, *given, cwd=FOLDER, env=environment, **pipes)
    peer = Peer(process)
    await peer.hears("ready")
    yield peer
    assert process.stdin
    process.stdin.close()
    await process.wait()


async def test_a_foreign_client_sends_and_hears_itself(fake: FakeVk, peer: Peer) -> None:
    """A repeat with the same `random_id` is one message; a picture goes the three steps."""
    photo = await peer.ask("photo", peer=601)
    given = {"peer_ids": 601, "random_id": 7, "message": "Здравствуйте", "attachment": photo}
    first = await peer.call("messages.send", **given)
    assert await peer.call("messages.send", **given) == first
    [sent] = fake.sent
    assert (sent.text, [upload.content for upload in sent.files]) == ("Здравствуйте", [b"a picture"])
    refused = await peer.call("messages.send", peer_ids=999, random_id=8, message="чужому")
    assert refused["refused"] == 901


async def test_a_foreign_client_hears_what_people_do(fake: FakeVk, peer: Peer) -> None:
    await peer.ask("start")
    forwarded = [{"from_id": 77, "text": "цитата", "date": 1, "attachments": [], "peer_id": 601}]
    sticker = {"type": "sticker", "sticker": {"sticker_id": 1, "product_id": 1, "images": []}}
    fake.customer_writes(text="Привет 👋", attachments=[sticker], fwd_messages=forwarded)
    heard = await peer.hears("heard")
    assert (heard["heard"], heard["peer"], heard["from"]) == ("Привет 👋", 601, 601)
    assert (heard["kinds"], heard["forwards"]) == (["sticker"], 1)
    fake.expire_key()
    # It forgets its place with its key, unlike us.
    await eventually(lambda: [method for method, _ in fake.calls].count("groups.getLongPollServer") == 2, 20)
    fake.customer_writes(text="после ключа")
    assert (await peer.hears("heard"))["heard"] == "после ключа"
    rows = json.dumps(await peer.ask("keyboard"))
    await peer.call("messages.send", peer_ids=601, random_id=9, message="?", keyboard=rows)
    press = fake.customer_presses("Yes")["object"]
    pressed = await peer.hears("pressed")
    assert pressed["pressed"] == {"data": "y"}
    answered = await peer.call(
        "messages.sendMessageEventAnswer", event_id=pressed["event"], user_id=601, peer_id=601
    )
    assert (answered, fake.answered) == (1, [(press["event_id"], 601, 601)])
    number = fake.sent[-1].conversation_message_id
    assert await peer.call("messages.edit", peer_id=601, cmid=number, message="!") == 1
    assert await peer.hears("edited") == {"edited": "!", "out": True}


async def test_a_foreign_client_builds_the_keyboard_we_build(peer: Peer) -> None:
    theirs = await peer.ask("keyboard")
    yes = Button(text="Yes", data="y", url="")
    ours = json.loads(keyboard([[yes, Button(text="Site", data="", url="https://example.org")]]) or "")
    assert ours.keys() <= theirs.keys()
    assert [[shape(one) for one in row] for row in ours["buttons"]] == [
        [shape(one) for one in row] for row in theirs["buttons"]
    ]


def shape(button: dict[str, Any]) -> dict[str, Any]:
    action = button["action"]
    return {name: action.get(name) for name in ("type", "label", "link")}
