"""What an adapter brings to the contract suite: its platform, and how to play the customer on it.

A new channel joins with one module `tests/channels/contract/kit_<kind>.py` that holds a subclass of `Kit`.
The suite finds it; what the class says of itself decides which tests run over it.
"""

import importlib
import json
import os
import pkgutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self
from uuid import UUID

from channels.base import Account, Adapter, OutgoingFile, OutgoingMessage, WebhookRequest
from channels.registry import load

GOLDEN = Path(os.environ.get("OTKLIK_GOLDEN") or Path(__file__).parent.parent / "golden")
CALL_FAULTS = ("down", "cut", "black_hole", "slow", "html502", "500")
"""What any platform may do to any call."""
TIMEOUT = 2
"""Seconds an adapter's call may take in this suite."""


class Kit:
    """One adapter with its platform; `async with SomeKit() as kit`."""

    kind: ClassVar[str]
    poll: ClassVar[bool] = False
    """`pull` works, over `customer_writes`."""
    webhook: ClassVar[bool] = False
    """`webhook` works, over `webhook_request`."""
    call_faults: ClassVar[tuple[str, ...]] = ()
    """Those of `CALL_FAULTS` that `fail_next` can order; empty for a channel without a remote platform."""
    refusals: ClassVar[tuple[str, ...]] = ()
    """Those of flood, forbidden, bad_request, revoked that `fail_next` can order."""
    lost_reply: ClassVar[bool] = False
    """`fail_next("lost_reply")` works: taken by the platform, answer lost."""
    poison: ClassVar[tuple[bytes, ...]] = (b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000)
    """Payloads that `parse` must refuse with `BadEvent`."""
    strange: ClassVar[tuple[bytes, ...]] = ()
    """Payloads of kinds nobody knows yet: ignored or refused, nothing else."""
    strange_personal: ClassVar[tuple[bytes, ...]] = ()
    """Messages of people with content nobody knows: must come out as `unsupported`."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Strings that may appear in no error, log or repr."""
    encoded: ClassVar[bool] = True
    """Payloads are JSON, so that golden ones can be spoilt field by field."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Start the platform, with one customer who already wrote.

        The first batch of the first pull takes that in, or leaves it out.
        """

    async def close(self) -> None:
        """Stop it."""

    # --- the adapter ------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Settings that lead the adapter to the platform, with time-outs of `TIMEOUT`."""
        raise NotImplementedError

    def account(self, **changes: Any) -> Account:
        cls = load(self.kind)
        return Account(
            id=UUID(int=7),
            name="Тест",
            settings=cls.Settings.model_validate(self.settings() | changes),
            webhook_url="http://127.0.0.1:9/hooks/k3y",
            webhook_secret="wh-Secret_0123456789",
        )

    @asynccontextmanager
    async def adapter(self, **changes: Any) -> AsyncIterator[Adapter]:
        """A new adapter, as a new process would make it."""
        adapter = load(self.kind)(self.account(**changes))
        try:
            yield adapter
        finally:
            await adapter.close()

    # --- the platform, seen by the customer -------------------------------------------------

    async def customer_writes(self, text: str) -> None:
        """The customer writes; the platform has it for the next pull."""
        raise NotImplementedError

    def webhook_request(self, text: str, number: int = 1) -> WebhookRequest:
        """The platform's call with a message; another `number` is another event, the same one a repeat."""
        raise NotImplementedError

    def wrong_secret(self, request: WebhookRequest) -> list[WebhookRequest]:
        """The call with a wrong and with a missing secret."""
        raise NotImplementedError

    def malformed(self) -> list[WebhookRequest]:
        """Calls with the right secret and a broken body."""
        return []

    async def fail_next(self, fault: str, *, calls: str) -> None:
        """Order a fault; `calls`: `send`, `pull` or `check`, which call is to suffer it."""
        raise NotImplementedError

    async def recover(self) -> None:
        """End a fault that lasts, as `down` does."""

    def received(self) -> list[str]:
        """Texts that the customer got, captions too, in order."""
        raise NotImplementedError

    def received_files(self) -> list[bytes]:
        """Contents of the files that the customer got, in order."""
        return []

    def received_quotes(self) -> list[str]:
        """External ids that the messages the customer got quote, in order."""
        return []

    def saw_typing(self) -> bool:
        """Whether the customer saw that somebody types."""
        return False

    def fetchable(self) -> tuple[dict[str, Any], bytes] | None:
        """A reference that can be fetched, and what it brings; None: nothing is fetched here."""
        return None

    def gone(self) -> list[dict[str, Any]]:
        """References that must end in `Gone`."""
        return []

    # --- ours -------------------------------------------------------------------------------

    def message(self, text: str = "", *, key: str = "41", **changes: Any) -> OutgoingMessage:
        """An answer to the customer."""
        raise NotImplementedError


class Bytes:
    """Content of an outgoing file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self) -> bytes:
        return self.data


def file(kind: Any, data: bytes, *, name: str = "файл.bin", mime: str = "") -> OutgoingFile:
    usual = {"image": "image/png", "voice": "audio/ogg", "audio": "audio/mpeg", "video": "video/mp4"}
    given = mime or usual.get(kind, "application/pdf")
    return OutgoingFile(kind=kind, name=name, mime=given, size=len(data), content=Bytes(data))


def kits() -> list[type[Kit]]:
    """All kits there are; only those of the module `OTKLIK_KIT`, where it is set."""
    if alone := os.environ.get("OTKLIK_KIT"):
        importlib.import_module(alone)
        return sorted(_all(Kit), key=lambda kit: kit.kind)
    import tests.channels.contract as here

    for module in pkgutil.iter_modules(here.__path__):
        if module.name.startswith("kit_"):
            importlib.import_module(f"{here.__name__}.{module.name}")
    return sorted(_all(Kit), key=lambda kit: kit.kind)


def _all(cls: type[Kit]) -> Iterable[type[Kit]]:
    for sub in cls.__subclasses__():
        if hasattr(sub, "kind"):
            yield sub
        yield from _all(sub)


def golden(kind: str) -> list[Path]:
    """Recorded payloads of a channel: `golden/<kind>/*`, with `<name>.expected` beside each."""
    return sorted(path for path in (GOLDEN / kind).glob("*") if path.suffix != ".expected")


def spoilt(payload: bytes) -> Iterable[bytes]:
    """A JSON payload with each of its fields in turn gone or of a wrong form."""
    whole = json.loads(payload)
    for path in _paths(whole):
        for value in (None, "", "\x00\ud800x", -1, 10**30, 1.5, True, [], {}, [None], {"x": {}}):
            yield json.dumps(_with(whole, path, value)).encode()
        yield json.dumps(_with(whole, path, ...)).encode()


def _paths(value: Any, start: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*start, name)
        yield from _paths(inner, (*start, name))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with `new` at `path`; `...` removes what is there."""
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) > 1:
        copy[path[0]] = _with(copy[path[0]], path[1:], new)
    elif new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = new
    return copy
