"""The signature of our calls: HMAC-SHA256 over `timestamp.body`, in hexadecimal."""

import hashlib
import hmac


def sign(secret: str, *, timestamp: str, body: bytes) -> str:
    """Value of `X-Otklik-Signature`."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def verify(secret: str, *, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether a call is genuine; compares in constant time. The receiver also checks the age."""
    return hmac.compare_digest(sign(secret, timestamp=timestamp, body=body).encode(), signature.encode())
