"""The HTTP client of adapters: time-outs, proxy, certificates, and failures named by what to do next.

It knows no platform. Addresses may hold tokens, so none appears in an error or a log line.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import certifi
import httpx

from channels.base import DeliveryError, Gone, Http, OutcomeUnknown, Rejected, RetryLater

MAX_ANSWER = 16 << 20
"""Bytes an API answer may have; files have a limit of their own."""

_NOTHING_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
)


class _NoAddresses(logging.Filter):
    """httpx logs each address at INFO, and Telegram's hold the token."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


for _name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(_NoAddresses())


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer, of whatever status."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON; None when it is not JSON (an HTML page of a proxy, a cut body)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _Written:
    """Whether a request has begun to leave; `trace` is called by httpcore."""

    def __init__(self) -> None:
        self.begun = False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        # CONNECT is talk with the proxy, the platform has seen nothing yet.
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.begun = True


class HttpClient:
    """One connection pool for one account; connects lazily."""

    def __init__(self, http: Http, *, base_url: str) -> None:
        """`base_url`: the platform's usual address, used when the settings name no other."""
        self.base_url = (http.base_url or base_url).rstrip("/")
        self.timeout = http.timeout
        self.settings = http
        self._client: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"HttpClient({self.base_url!r})"

    async def request(
        self, method: str, url: str, *, safe: bool = False, timeout: float | None = None,
        limit: int | None = None, **options: Any,
    ) -> Answer:  # fmt: skip
        """Make a request, read all of the answer within `timeout` seconds, return it of whatever status.

        `safe`: repeating it does no harm, so every failure is `RetryLater`. Otherwise a failure after the
        request began to leave is `OutcomeUnknown`. A file longer than `limit` bytes raises `Gone`.
        """
        written = _Written()
        seconds = timeout or self.timeout
        failure: DeliveryError
        try:
            async with asyncio.timeout(seconds):
                return await self._read(method, url, limit, seconds, written, options)
        except _NOTHING_WRITTEN as error:
            failure = RetryLater(f"Could not connect ({_cause(error)})", code="connect")
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
            failure = _failed(error, safe=safe or not written.begun)
        raise failure from None

    async def _read(
        self,
        method: str,
        url: str,
        limit: int | None,
        seconds: float,
        written: _Written,
        options: dict[str, Any],
    ) -> Answer:
        extensions = {"trace": written.trace}
        # TCP and TLS each have their part, so that they fail by themselves: cut off from outside in the
        # middle of a handshake, httpcore leaves the socket open.
        times = httpx.Timeout(seconds, connect=min(seconds, self.timeout) * 0.45)
        async with self._open().stream(
            method, url, extensions=extensions, timeout=times, **options
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                _check_length(len(body), limit)
            return Answer(answer.status_code, bytes(body), dict(answer.headers))

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(**client_options(self.settings))
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _check_length(length: int, limit: int | None) -> None:
    if limit is not None and length > limit:
        raise Gone("The file is larger than the limit")
    if limit is None and length > MAX_ANSWER:
        raise httpx.DecodingError("answer too long")


@lru_cache(16)
def _trust(ca_bundle: str) -> ssl.SSLContext:
    # Reading the usual certificates takes tens of milliseconds: once per process, not per account.
    return ssl.create_default_context(cafile=ca_bundle or certifi.where())


def client_options(http: Http) -> dict[str, Any]:
    """Arguments of an httpx client for these settings. The environment's proxies are not used."""
    try:
        verify = _trust(http.ca_bundle)
        proxy = httpx.Proxy(http.proxy) if http.proxy else None
    except OSError:
        raise Rejected("The CA bundle cannot be read", code="ca_bundle") from None
    except (ValueError, httpx.InvalidURL):
        raise Rejected("The proxy's address is wrong", code="proxy") from None
    return {"verify": verify, "proxy": proxy, "trust_env": False, "timeout": http.timeout}


def _failed(error: Exception, *, safe: bool) -> DeliveryError:
    slow = isinstance(error, TimeoutError | httpx.TimeoutException)
    reason = "No answer within the time-out" if slow else f"The connection broke ({_cause(error)})"
    code = "timeout" if slow else "connection"
    return RetryLater(reason, code=code) if safe else OutcomeUnknown(reason, code=code)


def _cause(error: Exception) -> str:
    # The class alone: messages of some errors quote the address.
    return type(error).__name__


def unusable(answer: Answer, *, safe: bool) -> DeliveryError:
    """For an answer that is not the platform's: a proxy's page, a cut or an empty body."""
    reason = f"The platform answered with something unexpected (HTTP {answer.status})"
    return RetryLater(reason, code="bad_answer") if safe else OutcomeUnknown(reason, code="bad_answer")


def retry_after(answer: Answer, default: float) -> timedelta:
    """`Retry-After` of an answer in seconds, or the default; never more than an hour."""
    value = answer.headers.get("retry-after", "")
    return timedelta(seconds=min(float(value) if value.isdigit() else default, 3600))
