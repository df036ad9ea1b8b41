"""Stored files: one interface over a local folder or S3. Knows keys and bytes, not what they mean."""

import asyncio
import os
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

from app.core import storage
from app.core.clock import now
from app.core.config import Settings, SettingsError
from app.core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import LocalStore, S3Store

_CHUNK = 256 * 1024
_KEY = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9a-f]{32}(\.[a-z0-9]{1,8})?")


class Files:
    """Where files are. Raises `NotFound` for a key without a file, `Unavailable` when the store is away."""

    def __init__(self, opened: "Callable[[], LocalStore | S3Store]") -> None:
        self._opened = opened

    @cached_property
    def _store(self) -> "LocalStore | S3Store":
        return self._opened()  # with the first file: its library takes 4 MB

    async def put(self, key: str, data: bytes) -> None:
        with _failures("The file could not be stored; try again."):
            await self._store.put_async(_checked(key), data)

    async def get(self, key: str) -> bytes:
        return b"".join([part async for part in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The file in parts of some 256 kB."""
        try:
            with _failures("The file could not be read; try again."):
                found = await self._store.get_async(_checked(key))
                async for part in found.stream(min_chunk_size=_CHUNK):
                    yield bytes(part)
        except FileNotFoundError:
            raise NotFound("The file is no longer there.") from None

    async def delete(self, key: str) -> None:
        """Remove the file; it is no error when it is gone already."""
        with suppress(FileNotFoundError), _failures("The file could not be deleted; try again."):
            await self._store.delete_async(_checked(key))

    async def check(self) -> None:
        """Write, read and delete a small file; raises `SettingsError` when that fails."""
        key = new_key("check.txt")
        try:
            async with asyncio.timeout(20):
                await self.put(key, b"otklik")
                await self.get(key)
                await self.delete(key)
        except (Unavailable, NotFound, TimeoutError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise SettingsError(f"OTKLIK_FILES: the store cannot be used: {reason}") from None


@contextmanager
def _failures(told: str) -> Iterator[None]:
    """What the store raises, as errors of ours; a file that is not there remains `FileNotFoundError`."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise storage.find(error) or Unavailable(told) from error


def open_files(settings: Settings) -> Files:
    """The store of the settings. S3 takes its options from the usual `AWS_…` variables."""
    place = settings.files
    if place and place.startswith("s3://"):
        s3 = _s3(place)
        return Files(lambda: s3)
    folder = Path(place.removeprefix("file://")) if place else settings.data_dir / "files"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"OTKLIK_FILES: the folder {folder} cannot be made: {error.strerror}.") from None
    return Files(lambda: _local(folder.absolute()))


def _local(folder: Path) -> "LocalStore":
    from obstore.store import LocalStore

    return LocalStore(folder)


def _s3(url: str) -> "S3Store":
    from obstore.store import S3Store

    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise SettingsError("OTKLIK_FILES: s3://bucket/prefix needs the name of a bucket.")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options = {"endpoint": endpoint} if endpoint else {}
    plain = endpoint is not None and endpoint.startswith("http://")
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        client_options={"allow_http": plain, "connect_timeout": "5s", "timeout": "60s"},
        **options,  # type: ignore[arg-type]
    )


def new_key(name: str = "") -> str:
    """A random key, `2026/11/<32 hex>.ext`: of `name` only a harmless ending is kept."""
    ending = PurePosixPath(unicodedata.normalize("NFKC", name).lower().replace("\\", "/")).suffix
    ending = ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else ""
    return f"{now():%Y/%m}/{uuid4().hex}{ending}"


def _checked(key: str) -> str:
    # Keys come from our own rows; this keeps a mistake from becoming a way out of the folder.
    if not _KEY.fullmatch(key):
        raise NotFound("The file is no longer there.")
    return key
