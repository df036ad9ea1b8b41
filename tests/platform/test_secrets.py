"""Sealing, signing and the key that is made once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core import secrets
from app.core.config import Settings, SettingsError


def test_sealed_values_come_back_and_show_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    box = secrets.open_box(settings)
    sealed = box.seal({"token": "тайна", "port": 993})
    assert "тайна".encode() not in sealed
    assert secrets.open_box(settings).unseal(sealed) == {"token": "тайна", "port": 993}
    assert (tmp_path / "secret.key").read_text().strip() not in repr(box)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_many_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    with ThreadPoolExecutor(16) as pool:
        boxes = list(pool.map(lambda _: secrets.open_box(settings), range(64)))
    sealed = boxes[0].seal({"a": 1})
    assert all(box.unseal(sealed) == {"a": 1} for box in boxes)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret.key"]


def test_another_key_is_a_clear_sentence(tmp_path: Path) -> None:
    sealed = secrets.open_box(Settings(data_dir=tmp_path / "a")).seal({})
    with pytest.raises(SettingsError, match="OTKLIK_SECRET_KEY"):
        secrets.open_box(Settings(data_dir=tmp_path / "b")).unseal(sealed)


@pytest.mark.parametrize("key", ["short", "!", "ключ", "A" * 44])
def test_wrong_key_setting_is_named_and_not_shown(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="OTKLIK_SECRET_KEY: must be 32 bytes") as caught:
        secrets.open_box(Settings(secret_key=key, data_dir=tmp_path))
    assert key not in str(caught.value)


def test_signatures_hold_for_one_purpose_only() -> None:
    box = secrets.open_box(Settings(secret_key=secrets.new_key()))
    signature = box.sign("file", b"1")
    assert box.verify("file", b"1", signature)
    assert not box.verify("link", b"1", signature)
    assert not box.verify("file", b"2", signature)
    assert not box.verify("file", b"1", "ё")


def test_tokens_are_random_and_stored_hashed() -> None:
    first, second = secrets.random_token(), secrets.random_token()
    assert first != second
    assert len(secrets.hash_token(first)) == 32
    assert secrets.same(secrets.hash_token(first), secrets.hash_token(first))
