"""The loopback platforms of the demo, in one server: so that answers really leave."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette

from app.demo.mail_platform import MailPlatform
from app.demo.script import Person
from app.demo.telegram_platform import TelegramPlatform
from app.demo.vk_platform import VkPlatform


@dataclass
class Platforms:
    """All of them; `url` is the base address of Telegram and VK."""

    telegram: TelegramPlatform
    vk: VkPlatform
    mail: MailPlatform
    url: str = ""
    persons: dict[tuple[str, str], Person] = field(default_factory=dict)
    """By kind of channel and id there."""

    def know(self, persons: Iterable[Person]) -> None:
        """These have accounts now."""
        for person in persons:
            for kind in person.kinds:
                self.persons[kind, person.external_id(kind)] = person
            self.telegram.persons[person.external_id("telegram")] = person
            self.vk.persons[person.external_id("vk")] = person


class _Server(uvicorn.Server):
    """Leaves signals to the command, which ends it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(*, shop: str) -> AsyncIterator[Platforms]:
    """The platforms, listening on free ports of the loopback."""
    found = Platforms(TelegramPlatform({}), VkPlatform({}, name=shop), MailPlatform())
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    found.url = found.vk.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=[*found.telegram.routes(), *found.vk.routes()])
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="demo-platforms")
    await found.mail.start()
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        yield found
    finally:
        server.should_exit = True
        found.telegram.wake()
        found.vk.wake()
        await found.mail.stop()
        await serving
        listener.close()
