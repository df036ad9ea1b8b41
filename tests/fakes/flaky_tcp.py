"""A TCP relay in front of a real server, whose next connection can be made to fail."""

import asyncio
from contextlib import suppress
from typing import Self


class FlakyRelay:
    """`async with FlakyRelay(port) as relay: relay.port` – bytes go both ways until a fault is ordered."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.fault = ""
        """cut, black_hole or slow, for the next connection."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()

    async def listen(self) -> None:
        """Accept connections; again after `go_down`, at the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Refuse connections and break those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault, self.fault = self.fault, ""
        self._writers.add(writer)
        try:
            if fault == "cut":
                return
            if fault:
                await self._hang(reader, writer, drip=fault == "slow")
                return
            await self._relay(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, drip: bool) -> None:
        """Say nothing, or a byte of a line that never ends now and then, until the client leaves."""
        while not reader.at_eof():
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(100), 0.02)
            if drip:
                writer.write(b"*")

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(back)
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except OSError:
            return
        finally:
            self._writers.discard(back)
            back.transport.abort()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
