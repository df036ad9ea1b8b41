"""Reading one mailbox over IMAP, in blocking calls made for one dedicated thread.

Only `Mailreader.abort` may be called from another thread. The folder is opened read-only: nothing is
ever marked as seen, moved or deleted. The cursor is `{"uidvalidity", "last_uid"}`.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

from channels.base import Batch, DeliveryError, RawEvent, RetryLater, Unauthorized
from channels.email import oauth, oversize, parse
from channels.email.settings import EmailSettings

CONNECT_SECONDS = 15
BATCH_MAILS = 25
BATCH_BYTES = 8_000_000
POLL_SECONDS = 60
SLICE_SECONDS = 20


# What the library raises when a server answers as none should.
_ODD = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class Lost(Exception):
    """The connection is gone: connect again."""


class Mailreader:
    """A connection to one folder. Every call has a time-out."""

    def __init__(self, settings: EmailSettings) -> None:
        self.settings = settings
        self.client: IMAPClient | None = None
        self.stopped = False
        self._seen: tuple[Any, ...] = ()
        self._socket: socket.socket | None = None

    def connect(self) -> dict[str, Any]:
        """Log in and open the folder; what was learned. Raises `Unauthorized` or `RetryLater`."""
        self.disconnect()
        try:
            self.client = client = self._open()
            _sign_in(client, self.settings)
            found = client.select_folder(self.settings.imap_folder, readonly=True)
        except DeliveryError:
            self.disconnect()
            raise
        except LoginError as error:
            self.disconnect()
            raise _login_failure(error) from error
        except IMAPClientError as error:
            self.disconnect()
            raise RetryLater(f"The IMAP server refused: {_said(error)}", code="imap_refused") from error
        except (OSError, *_ODD) as error:
            self.disconnect()
            raise RetryLater(f"No connection to the IMAP server: {_said(error)}", code="connect") from error
        return {"messages": found.get(b"EXISTS", 0), "idle": client.has_capability("IDLE")}

    def _open(self) -> IMAPClient:
        settings = self.settings
        context = ssl.create_default_context(cafile=settings.http.ca_bundle or None)
        client = _Client(
            self._opened,
            settings.imap_host,
            settings.imap_port,
            ssl=settings.imap_tls == "ssl",
            ssl_context=context if settings.imap_tls == "ssl" else None,
            use_uid=True,
            timeout=SocketTimeout(min(CONNECT_SECONDS, settings.http.timeout), settings.http.timeout),
        )
        if settings.imap_tls == "starttls":
            client.starttls(context)
        return client

    def _opened(self, opened: socket.socket) -> None:
        self._socket = opened

    def disconnect(self) -> None:
        """Drop the connection without ceremony: a dead peer is not waited for."""
        client, self.client, self._socket = self.client, None, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.shutdown()

    def abort(self) -> None:
        """End whatever the thread waits for. From any thread."""
        self.stopped = True
        with contextlib.suppress(Exception):
            opened = self.client.socket() if self.client else self._socket
            if opened is not None:
                # Not the method of the TLS socket, which is in use by the other thread.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    # --- reading ---------------------------------------------------------------------------

    def collect(self, cursor: dict[str, Any]) -> Batch:
        """The next mails after `cursor`, oldest first; empty when there are none. Raises `Lost`."""
        try:
            return self._collect(cursor)
        except (IMAPClientAbortError, OSError, *_ODD) as error:
            raise Lost(_said(error)) from error
        except IMAPClientError as error:
            raise RetryLater(f"The IMAP server refused: {_said(error)}", code="imap_refused") from error

    def _collect(self, cursor: dict[str, Any]) -> Batch:
        client = self._connected()
        folder = client.select_folder(self.settings.imap_folder, readonly=True)
        self._seen = _state(folder)
        validity, top = int(folder[b"UIDVALIDITY"]), int(folder.get(b"UIDNEXT", 1)) - 1
        known = cursor.get("uidvalidity") == validity
        last = int(cursor.get("last_uid", 0)) if known else 0
        uids = self._search(cursor, last=last, known=known)
        events: list[RawEvent] = []
        size, done = 0, last
        for uid in uids[:BATCH_MAILS]:
            event = self._fetch(validity, uid)
            events += [event] if event else []
            size, done = size + (len(event.payload) if event else 0), uid
            if size >= BATCH_BYTES:
                break
        # All looked at: also what is older than the days to look back never has to be looked at again.
        if not uids or done == uids[-1]:
            done = max(done, top if not known else 0)
        return Batch(events, {"uidvalidity": validity, "last_uid": done})

    def _search(self, cursor: dict[str, Any], *, last: int, known: bool) -> list[int]:
        days = self.settings.rescan_days if cursor else self.settings.first_days
        if not known and not days:
            return []
        criteria: list[Any] = ["UID", f"{last + 1}:*", "NOT", "DELETED"]
        if not known:
            criteria += ["SINCE", (datetime.now(UTC) - timedelta(days=days)).date()]
        # `n:*` always names the last mail, even when its number is below n.
        return sorted(uid for uid in self._connected().search(criteria) if uid > last)

    def _fetch(self, validity: int, uid: int) -> RawEvent | None:
        """One mail; None when it vanished meanwhile; a stub when the server cannot give it."""
        client = self._connected()
        try:
            about = client.fetch([uid], ["RFC822.SIZE", "FLAGS"]).get(uid)
            if about is None or b"\\Deleted" in about[b"FLAGS"]:
                return None
            size = int(about[b"RFC822.SIZE"])
            if size > self.settings.max_mail_mb * 1_000_000:
                payload = oversize.fetch(client, uid, size)
            else:
                payload = client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        except (IMAPClientAbortError, OSError):
            raise
        except (IMAPClientError, KeyError, ValueError, TypeError, IndexError) as error:
            # One mail that the server chokes on must not stop those behind it.
            said = f"{parse.UNREADABLE.decode()} {validity}:{uid} {_said(error)}".encode()
            return RawEvent(key=f"unreadable:{validity}:{uid}", payload=said)
        if payload is None:
            return None
        return RawEvent(key=parse.content_key(payload), payload=payload, lane=parse.lane(payload))

    # --- waiting ---------------------------------------------------------------------------

    def wait(self) -> None:
        """Until the server announces something, or it is time to look anyway. Raises `Lost`."""
        client = self._connected()
        try:
            # What came since `collect` was perhaps announced to a command that did not listen.
            if _state(client.select_folder(self.settings.imap_folder, readonly=True)) != self._seen:
                return
            if client.has_capability("IDLE"):
                self._idle(client)
            else:
                self._nap(client)
        except (IMAPClientError, OSError, *_ODD) as error:
            raise Lost(_said(error)) from error

    def _idle(self, client: IMAPClient) -> None:
        client.idle()
        until = time.monotonic() + self.settings.idle_seconds
        news: list[Any] = []
        while not news and not self.stopped and (left := until - time.monotonic()) > 0:
            asked_for = min(left, SLICE_SECONDS)
            started = time.monotonic()
            news = client.idle_check(timeout=asked_for)
            # A closed connection is readable and says nothing, again and again.
            if not news and time.monotonic() - started < asked_for / 2:
                raise Lost("closed by the server")
            if any(b"BYE" in line[:1] for line in news):
                raise Lost("the server said goodbye")
            news = [line for line in news if line[:1] != (b"OK",)]
        client.idle_done()

    def _nap(self, client: IMAPClient) -> None:
        until = time.monotonic() + min(POLL_SECONDS, self.settings.idle_seconds)
        while not self.stopped and time.monotonic() < until:
            time.sleep(0.2)
        client.noop()

    def _connected(self) -> IMAPClient:
        if self.client is None or self.stopped:
            raise Lost("not connected")
        return self.client


class _Client(IMAPClient):  # type: ignore[misc]
    """The library's client, which tells of its socket before it waits for the server's first word."""

    def __init__(self, opened: Callable[[socket.socket], None], *arguments: Any, **options: Any) -> None:
        self._opened = opened
        super().__init__(*arguments, **options)

    def _create_IMAP4(self) -> Any:
        opened = self._opened

        class Watched(IMAP4_TLS if self.ssl else IMAP4WithTimeout):  # type: ignore[misc]
            def _create_socket(self, timeout: float | None = None) -> socket.socket:
                made: socket.socket = super()._create_socket(timeout)
                opened(made)
                return made

        tls = (self.ssl_context,) if self.ssl else ()
        return Watched(self.host, self.port, *tls, self._timeout.connect)


def _state(folder: dict[bytes, Any]) -> tuple[Any, ...]:
    return tuple(folder.get(name) for name in (b"UIDVALIDITY", b"UIDNEXT", b"EXISTS"))


def _sign_in(client: IMAPClient, settings: EmailSettings) -> None:
    """By password or by token; a token that is refused is asked for anew, once."""
    login, password = settings.imap_credentials()
    if settings.auth == "password":
        _log_in(client, login, password)
        return
    token = oauth.access_token(settings)
    try:
        client.oauth2_login(login, token)
    except LoginError:
        client.oauth2_login(login, oauth.access_token(settings, refused=token))


def _log_in(client: IMAPClient, login: str, password: str) -> None:
    if (login + password).isascii():
        client.login(login, password)
    else:
        # LOGIN knows ASCII only.
        client.plain_login(login, password)


def _login_failure(error: LoginError) -> Unauthorized | RetryLater:
    said = _said(error)
    if "UNAVAILABLE" in said.upper() or "INUSE" in said.upper():
        return RetryLater(f"The IMAP server is busy: {said}", code="imap_busy")
    return Unauthorized(f"The IMAP server refused login or password: {said}", code="imap_login")


def _said(error: BaseException) -> str:
    """What the server said, short. Servers repeat no password; the library puts none into errors."""
    if isinstance(error, ValueError):
        # Errors of encoding quote what could not be encoded, which may be of the password.
        return type(error).__name__
    return " ".join(str(error).split())[:200] or type(error).__name__
