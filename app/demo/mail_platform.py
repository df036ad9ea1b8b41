"""A tiny mail server: a mailbox to be read over IMAP, and an SMTP server that takes everything."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from app.demo import events

Talk = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@dataclass
class MailPlatform:
    """Ports are known after `start`."""

    imap_port: int = 0
    smtp_port: int = 0
    taken: int = 0
    """Mails that were handed over to be sent."""
    _mails: dict[int, bytes] = field(default_factory=dict)
    _first: int = field(default_factory=events.number)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _talks: set[StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        for name, talk in (("imap_port", self._imap), ("smtp_port", self._smtp)):
            server = await asyncio.start_server(self._guarded(talk), "127.0.0.1", 0, limit=32 << 20)
            self._servers.append(server)
            setattr(self, name, server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in list(self._talks):
            writer.close()

    def push(self, mail: bytes) -> None:
        """A mail that arrives."""
        self._mails[len(self._mails) + 1] = mail
        # Whoever waits has the old one.
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _guarded(self, talk: Talk) -> Talk:
        async def run(reader: StreamReader, writer: StreamWriter) -> None:
            self._talks.add(writer)
            try:
                with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                    await talk(reader, writer)
            finally:
                self._talks.discard(writer)
                writer.close()

        return run

    # --- IMAP ---------------------------------------------------------------------------------

    async def _imap(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1 IDLE] demo\r\n")
        while line := (await reader.readline()).decode(errors="replace").strip():
            tag, _, rest = line.partition(" ")
            word, _, given = rest.partition(" ")
            if word.upper() == "UID":
                word, _, given = given.partition(" ")
            if word.upper() == "IDLE":
                await self._idle(reader, writer)
            else:
                for answer in self._answer(word.upper(), given):
                    writer.write(answer + b"\r\n")
            writer.write(f"{tag} OK done\r\n".encode())
            await writer.drain()
            if word.upper() == "LOGOUT":
                return

    def _answer(self, word: str, given: str) -> list[bytes]:
        if word == "CAPABILITY":
            return [b"* CAPABILITY IMAP4rev1 IDLE"]
        if word in ("SELECT", "EXAMINE"):
            return [
                b"* FLAGS (\\Seen \\Deleted)",
                b"* %d EXISTS" % len(self._mails),
                b"* OK [UIDVALIDITY %d] valid" % (self._first % 2**31),
                b"* OK [UIDNEXT %d] next" % (len(self._mails) + 1),
            ]
        if word == "SEARCH":
            low = re.search(r"UID (\d+):\*", given)
            found = [uid for uid in self._mails if uid >= int(low[1] if low else 1)]
            return [b" ".join([b"* SEARCH", *(b"%d" % uid for uid in found)])]
        if word == "FETCH":
            return self._fetch(given)
        return [b"* BYE demo"] if word == "LOGOUT" else []

    def _fetch(self, given: str) -> list[bytes]:
        match = re.match(r"(\d+) (.*)", given)
        mail = self._mails.get(int(match[1])) if match else None
        if match is None or mail is None:
            return []
        parts = [b"UID %d" % int(match[1])]
        if "SIZE" in match[2].upper():
            parts += [b"RFC822.SIZE %d" % len(mail), b"FLAGS ()"]
        if "BODY" in match[2].upper():
            parts.append(b"BODY[] {%d}\r\n%s" % (len(mail), mail))
        return [b"* %d FETCH (%s)" % (int(match[1]), b" ".join(parts))]

    async def _idle(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"+ idling\r\n")
        await writer.drain()
        done, count = asyncio.create_task(reader.readline()), len(self._mails)
        while not done.done():
            if len(self._mails) > count:
                count = len(self._mails)
                writer.write(b"* %d EXISTS\r\n" % count)
                await writer.drain()
                continue
            waiting = asyncio.create_task(self._news.wait())
            await asyncio.wait({done, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    # --- SMTP ---------------------------------------------------------------------------------

    async def _smtp(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 demo\r\n")
        while line := (await reader.readline()).decode(errors="replace").strip():
            word = line.split(" ")[0].upper()
            if word == "DATA":
                writer.write(b"354 go on\r\n")
                await writer.drain()
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
            answers = {"EHLO": b"250-demo\r\n250-8BITMIME\r\n250 SMTPUTF8", "QUIT": b"221 bye"}
            writer.write(answers.get(word, b"250 ok") + b"\r\n")
            await writer.drain()
            if word == "QUIT":
                return
