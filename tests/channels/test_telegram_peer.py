"""The Telegram adapter against `telegram-test-api`, a server nobody here wrote: plain texts, both ways.

What that server lacks (confirmed offsets, files, refusals, secrets) is tested with our own fake.
"""

import asyncio
import fcntl
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from channels.base import Account, InboundMessage, OutgoingMessage
from channels.telegram.adapter import TelegramAdapter, TelegramSettings
from tests.helpers import require

FOLDER = Path(__file__).parent.parent / "peers" / "telegram-test-api"
TOKEN = "4242:peer-token-for-one-test"


def install() -> None:
    """Install the peer once, whoever comes first."""
    npm = require("npm", "for telegram-test-api")
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / ".package-lock.json").exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=FOLDER, check=True, timeout=110, capture_output=True)


@pytest.fixture
async def peer() -> AsyncIterator[str]:
    """Address of the running server."""
    node = require("node", "for telegram-test-api")
    await asyncio.to_thread(install)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {"PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(node, "serve.cjs", cwd=FOLDER, env=environment, **pipes)
    assert process.stdout
    assert process.stdin
    async with asyncio.timeout(30):
        port = int(await process.stdout.readline())
    yield f"http://127.0.0.1:{port}"
    process.stdin.close()
    await process.wait()


@pytest.fixture
async def adapter(peer: str) -> AsyncIterator[TelegramAdapter]:
    settings = TelegramSettings.model_validate({"token": TOKEN, "http": {"base_url": peer, "timeout": 5}})
    adapter = TelegramAdapter(Account(UUID(int=1), "Бот", settings, "http://127.0.0.1:9/x", "s3cret"))
    yield adapter
    await adapter.close()


async def customer(peer: str, method: str, **message: object) -> dict[str, object]:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{peer}/{method}", json=message)
        return json.loads(answer.content)


async def customer_writes(peer: str, text: str, method: str = "sendMessage", **fields: object) -> None:
    person = {"id": 31, "first_name": "Peer", "username": "peer"}
    await customer(
        peer, method, botToken=TOKEN, date=1_760_000_000, text=text, **fields,
        **{"from": person | {"is_bot": False}, "chat": person | {"type": "private"}},
    )  # fmt: skip


async def received(adapter: TelegramAdapter, count: int) -> list[InboundMessage]:
    found: list[InboundMessage] = []
    async with asyncio.timeout(20):
        async for batch in adapter.pull({}):
            events = [event for raw in batch.events for event in adapter.parse(raw.payload)]
            found += [event for event in events if isinstance(event, InboundMessage)]
            if len(found) >= count:
                break
    return found


async def test_texts_go_both_ways(peer: str, adapter: TelegramAdapter) -> None:
    assert (await adapter.check()).external_id
    await customer_writes(peer, "Привет 👋")
    command = [{"offset": 0, "length": 6, "type": "bot_command"}]
    await customer_writes(peer, "/start T0ken", "sendCommand", entities=command)
    first, start = await received(adapter, 2)
    assert (first.text, first.chat, first.sender.name) == ("Привет 👋", "31", "Peer")
    assert (start.text, start.link_token) == ("", "T0ken")
    sent = await adapter.send(
        OutgoingMessage(key="1", chat=first.chat, recipient="31", text="И вам <b>привет</b>")
    )
    assert len(sent.external_ids) == 1
    updates = await customer(peer, "getUpdates", token=TOKEN, chatId="31")
    [update] = updates["result"]  # type: ignore[misc]
    assert update["message"]["text"] == "И вам <b>привет</b>"
    assert str(update["messageId"]) == sent.external_ids[0]
