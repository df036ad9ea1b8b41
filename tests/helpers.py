"""What tests of all slices share and what is no fixture."""

import asyncio
import inspect
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


async def eventually(check: Callable[[], T | Awaitable[T]], timeout: float = 10, *, every: float = 0.02) -> T:
    """Poll `check` (plain or async) until it returns something true, and return that.

    An AssertionError inside counts as "not yet". Fails after `timeout` seconds, with the last reason.
    """
    deadline = time.monotonic() + timeout
    while True:
        reason = "it stayed false"
        try:
            result = check()
            if inspect.isawaitable(result):
                result = await result
            if result:
                return result  # type: ignore[return-value]
        except AssertionError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            pytest.fail(f"Did not come true within {timeout} s: {reason}")
        await asyncio.sleep(every)


def eventually_sync(check: Callable[[], T], timeout: float = 10, *, every: float = 0.02) -> T:
    """`eventually` for tests without an event loop."""
    deadline = time.monotonic() + timeout
    while not (result := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"Did not come true within {timeout} s.")
        time.sleep(every)
    return result


def require(program: str, why: str = "") -> str:
    """Path of a system program a test needs; without it the test is skipped, and with CI=true fails."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/lib/dovecot")
    if path:
        return path
    message = f"{program} is not installed{f' ({why})' if why else ''}: `make test` as root installs it."
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(message)
    pytest.skip(message)
