"""What is kept or sent sealed: channel secrets, tokens, signatures. Passwords live in `app.agents`."""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from app.core.config import Settings, SettingsError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_FILE = "secret.key"


class Box:
    """Seals values with the installation's key; also signs. Shows nothing of the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @cached_property
    def _fernet(self) -> "Fernet":
        from cryptography.fernet import Fernet  # 7 MB, for whoever has a secret to open

        return Fernet(urlsafe_b64encode(self._key))

    def seal(self, value: dict[str, Any]) -> bytes:
        """Encrypt a JSON-like value (AES-128-CBC with HMAC, Fernet's format)."""
        return self._fernet.encrypt(orjson.dumps(value))

    def unseal(self, sealed: bytes) -> dict[str, Any]:
        """The value again; raises `SettingsError` when it was sealed with another key."""
        from cryptography.fernet import InvalidToken

        try:
            value: dict[str, Any] = orjson.loads(self._fernet.decrypt(bytes(sealed)))
        except InvalidToken:
            raise SettingsError(
                "A stored secret was sealed with another key: set OTKLIK_SECRET_KEY (or restore "
                f"{_FILE} in the data folder) to the key it was sealed with."
            ) from None
        return value

    def sign(self, purpose: str, message: bytes) -> str:
        """Signature of `message`, good for this `purpose` only (HMAC-SHA256, hex)."""
        key = hmac.new(self._key, f"otklik:{purpose}".encode(), hashlib.sha256).digest()
        return hmac.new(key, message, hashlib.sha256).hexdigest()

    def verify(self, purpose: str, message: bytes, signature: str) -> bool:
        return same(self.sign(purpose, message), signature)

    def __repr__(self) -> str:
        return "Box(***)"


def open_box(settings: Settings) -> Box:
    """The box of this installation: the key from the settings, else from the data folder, made there once."""
    if settings.secret_key:
        return Box(_decode(settings.secret_key, "OTKLIK_SECRET_KEY"))
    path = settings.data_dir / _FILE
    if not path.exists():
        _make_key(path)
    return Box(_decode(path.read_text(), str(path)))


def new_key() -> str:
    """A fresh installation key in the form the setting takes."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _make_key(path: Path) -> None:
    """Whoever links its key first has made it; the others read that one."""
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    own = path.with_name(f"{_FILE}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(own, path)
        except FileExistsError:
            return
    finally:
        own.unlink()


def _decode(text: str, where: str) -> bytes:
    try:
        key = urlsafe_b64decode(text.strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise SettingsError(f"{where}: must be 32 bytes in URL-safe base64.")
    return key


def random_token(size: int = 32) -> str:
    """URL-safe text with `size` random bytes in it."""
    return secrets.token_urlsafe(size)


def hash_token(token: str) -> bytes:
    """What is stored of a token. Tokens are random and long, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compare in constant time."""
    first, second = (part.encode() if isinstance(part, str) else part for part in (left, right))
    return hmac.compare_digest(first, second)
