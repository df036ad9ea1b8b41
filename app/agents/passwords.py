"""Passwords: argon2 in two threads of their own, so that neither the event loop nor memory suffers."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

MIN_LENGTH = 8
MAX_LENGTH = 200
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that is read wrong from a screen

_hasher = PasswordHash((Argon2Hasher(),))
# Two at a time: one hash takes 64 MiB, and a flood of logins must not take all cores.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_nobody: list[str] = []


async def make_hash(password: str) -> str:
    """The hash to store."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify(stored: str | None, password: str) -> bool:
    """Whether the password is right. Without a stored hash it takes the same time and says no."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, stored, password)


def _verify(stored: str | None, password: str) -> bool:
    if not _nobody:
        _nobody.append(_hasher.hash(secrets.token_hex()))
    try:
        right = _hasher.verify(password, stored or _nobody[0])
    except UnknownHashError:
        return False
    return right and stored is not None


def generate() -> str:
    """A password that can be dictated: four groups of four, about 80 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
