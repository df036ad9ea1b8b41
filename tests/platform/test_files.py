"""Files in a folder and in S3 behave alike."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from app.core.config import Settings, SettingsError
from app.core.errors import NotFound, Unavailable
from app.core.files import Files, new_key, open_files


@pytest.fixture(scope="module")
def fake_s3() -> Iterator[str]:
    """moto's server with a bucket named `desk`."""
    command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    lines = []
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", lines[-1] if lines else "")):
        lines.append(process.stderr.readline())
        assert lines[-1], f"moto did not start: {''.join(lines)}"
    httpx.put(f"{found[0]}/desk").raise_for_status()
    yield found[0]
    process.kill()
    process.communicate()


@pytest.fixture(params=["folder", "s3"])
async def files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Files]:
    if request.param == "folder":
        yield open_files(Settings(data_dir=tmp_path))
        return
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("fake_s3"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield open_files(Settings(files="s3://desk/some/prefix"))


async def test_bytes_come_back(files: Files) -> None:
    await files.check()
    key, data = new_key("голос.ogg"), os.urandom(1_200_000)
    await files.put(key, data)
    assert await files.get(key) == data
    parts = [part async for part in files.stream(key)]
    assert b"".join(parts) == data
    await files.delete(key)
    await files.delete(key)
    with pytest.raises(NotFound):
        await files.get(key)


async def test_empty_file(files: Files) -> None:
    key = new_key()
    await files.put(key, b"")
    assert await files.get(key) == b""


@pytest.mark.parametrize(
    "key", ["../secret.key", "/etc/passwd", "2026/11/../../x", "2026/11/" + "a" * 32 + "\n", ""]
)
async def test_keys_not_ours_lead_nowhere(files: Files, key: str) -> None:
    with pytest.raises(NotFound):
        await files.get(key)
    with pytest.raises(NotFound):
        await files.put(key, b"x")


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("фото.JPG", ".jpg"),
        ("../../x.sh/..", ""),
        ("a.tar.gz", ".gz"),
        ("x.<script>", ""),
        ("", ""),
        ("a.\x00", ""),
        ("C:\\x\\y.PDF", ".pdf"),
    ],
)
def test_of_a_name_only_a_harmless_ending_is_kept(name: str, ending: str) -> None:
    assert re.fullmatch(r"\d{4}/\d\d/[0-9a-f]{32}" + re.escape(ending), new_key(name))


async def test_store_that_is_away_is_a_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    files = open_files(Settings(files="s3://desk"))
    with pytest.raises(Unavailable):
        await files.get(new_key())
    with pytest.raises(SettingsError, match="OTKLIK_FILES") as caught:
        await files.check()
    assert "verysecret" not in str(caught.value)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name of a bucket"):
        open_files(Settings(files="s3://"))
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be made"):
        open_files(Settings(files=str(tmp_path / "file" / "below")))
