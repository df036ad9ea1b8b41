"""The bell's other carrier: a NATS server, where `OTKLIK_NATS_URL` names one.

It takes the same empty rings and whispers, nothing else. While it is away nothing waits for it: readers
look by themselves, and who types or is there is not told to other processes.
"""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog

from app.core.bell import Ears

_PAUSE_SECONDS = 1.0
_CONNECT_SECONDS = 3
log = structlog.get_logger(__name__)


class Line:
    """An open connection, and the word that it is open no more."""

    def __init__(self) -> None:
        from nats.aio.client import Client  # only where it is used: it costs 10 MB

        self.client: Any = Client()
        self.closed = asyncio.Event()
        self.subject = ""

    async def open(self, servers: list[str], *, subject: str) -> None:
        """Raises when no server answers. Coming back is up to the caller."""
        self.subject = subject
        try:
            async with asyncio.timeout(_CONNECT_SECONDS * len(servers)):
                await self.client.connect(
                    servers,
                    name="otklik",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_CONNECT_SECONDS,
                    ping_interval=10,
                    no_echo=True,
                    closed_cb=self._ended,
                    disconnected_cb=self._ended,
                    error_cb=_refused,
                )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        with suppress(Exception):
            async with asyncio.timeout(1):
                await self.client.close()

    async def _ended(self) -> None:
        self.closed.set()


class Nats:
    """One connection to ring and to listen. Installations on one server do not hear each other."""

    name = "nats"

    def __init__(self, servers: str, *, database_url: str) -> None:
        self._servers = [server.strip() for server in servers.split(",")]
        self._database_url = database_url
        self._subject = ""
        self._line: Line | None = None
        self._opening = asyncio.Lock()
        self._failed_at = float("-inf")
        self._away = False

    @property
    def connected(self) -> bool:
        return self._line is not None and bool(self._line.client.is_connected)

    async def send(self, whispers: list[str]) -> None:
        line = await self._open()
        await line.client.publish(f"{line.subject}.facts", b"")
        for text in whispers:
            await line.client.publish(f"{line.subject}.lane", text.encode())

    async def rest(self) -> None:
        return None

    async def listen(self, ears: Ears) -> None:
        while True:
            with suppress(Exception):  # said already; a traceback's locals would name the password
                await self._hear(ears)
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    async def _hear(self, ears: Ears) -> None:
        line = await self._open()

        async def rung(_message: Any) -> None:
            ears.facts()

        async def whispered(message: Any) -> None:
            with suppress(UnicodeDecodeError):
                ears.lane(message.data.decode())

        await line.client.subscribe(f"{line.subject}.facts", cb=rung)
        await line.client.subscribe(f"{line.subject}.lane", cb=whispered)
        await line.client.flush(_CONNECT_SECONDS)
        ears.opened()
        await line.closed.wait()
        self._say(away=True)

    async def _open(self) -> Line:
        """The open connection, or a new one; right after a failure it fails at once."""
        async with self._opening:
            if self._line is not None and self.connected:
                return self._line
            if time.monotonic() - self._failed_at < _PAUSE_SECONDS / 2:
                raise ConnectionError
            try:
                line = Line()
                await line.open(self._servers, subject=await self._own_subject())
            except Exception as error:
                self._failed_at = time.monotonic()
                self._say(away=True, reason=type(error).__name__)
                raise
            self._line = line
            self._say(away=False)
            return line

    async def _own_subject(self) -> str:
        if not self._subject:
            connection = await asyncpg.connect(self._database_url, timeout=5, command_timeout=5)
            try:
                epoch = await connection.fetchval("select epoch from installation")
                self._subject = f"otklik.{epoch}"
            finally:
                await connection.close(timeout=1)
        return self._subject

    def _say(self, *, away: bool, reason: str = "") -> None:
        """Once for each change; without the credentials that an address may hold."""
        if away != self._away:
            self._away = away
            where = [
                f"{urlsplit(server).hostname}:{urlsplit(server).port or 4222}" for server in self._servers
            ]
            (log.warning if away else log.info)(
                "nats.away" if away else "nats.back", servers=where, **({"reason": reason} if reason else {})
            )

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()


async def _refused(error: Exception) -> None:
    """Without a right at the server the bell would only look like one that works. Names no credentials."""
    if "permissions" in str(error).lower():
        log.warning("nats.refused", reason=str(error))
