"""Access tokens of Google and Microsoft 365: asked for with the refresh token, kept until they end.

One token per mailbox and process serves reading and sending; whoever comes first renews it. Blocking:
called from the mail thread, or by `asyncio.to_thread`.
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field

import httpx

from channels.base import DeliveryError, Rejected, RetryLater, Unauthorized
from channels.email.settings import EmailSettings
from channels.http import client_options

EARLY = 120
"""Seconds before its end from which a token is not used any more."""
_URLS = {
    "google": "https://oauth2.googleapis.com/token",
    "microsoft": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
}
_SCOPES = {
    "google": "",
    "microsoft": "https://outlook.office.com/IMAP.AccessAsUser.All "
    "https://outlook.office.com/SMTP.Send offline_access",
}
_REVOKED = ("invalid_grant", "interaction_required", "consent_required")


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    ends: float = 0.0
    refresh: str = ""
    """A newer refresh token than the stored one: Microsoft gives one with each access token."""


_kept: dict[bytes, _Kept] = {}


def access_token(settings: EmailSettings, *, refused: str = "") -> str:
    """A token that is good for a while; not the one that was `refused`. Raises `DeliveryError`s."""
    kept = _kept.setdefault(_name(settings), _Kept())
    with kept.lock:
        if kept.token and kept.token != refused and kept.ends > time.monotonic():
            return kept.token
        answer = _ask(settings, kept.refresh or settings.oauth_refresh_token.get_secret_value())
        kept.token, kept.refresh = answer[0], answer[2] or kept.refresh
        kept.ends = time.monotonic() + answer[1] - EARLY
        return kept.token


def _name(settings: EmailSettings) -> bytes:
    secret = settings.oauth_refresh_token.get_secret_value()
    named = (settings.auth, _url(settings), settings.oauth_client_id, secret)
    return hashlib.sha256("\0".join(named).encode()).digest()


def _url(settings: EmailSettings) -> str:
    return settings.oauth_url or _URLS[settings.auth].format(tenant=settings.oauth_tenant or "common")


def _ask(settings: EmailSettings, refresh: str) -> tuple[str, float, str]:
    """Token, seconds it lives, and a new refresh token if there is one."""
    if not settings.oauth_client_id or not refresh:
        raise Unauthorized("The client id or the refresh token is missing.", code="oauth_missing")
    form = {
        "grant_type": "refresh_token",
        "client_id": settings.oauth_client_id,
        "client_secret": settings.oauth_client_secret.get_secret_value(),
        "refresh_token": refresh,
        "scope": _SCOPES[settings.auth],
    }
    try:
        with httpx.Client(**client_options(settings.http)) as client:
            answer = client.post(_url(settings), data={name: value for name, value in form.items() if value})
    except (httpx.HTTPError, OSError) as error:
        raise RetryLater(f"No token: {type(error).__name__}.", code="oauth_connect") from None
    try:
        said = answer.json()
        said = said if isinstance(said, dict) else {}
    except ValueError:
        said = {}
    token = said.get("access_token")
    if answer.status_code == 200 and isinstance(token, str) and token:
        return token, _seconds(said.get("expires_in")), str(said.get("refresh_token") or "")
    raise _refusal(answer.status_code, str(said.get("error", ""))[:60])


def _seconds(value: object) -> float:
    try:
        return max(2.0 * EARLY, min(float(str(value)), 86_400.0))
    except ValueError:
        return 3_600.0


def _refusal(status: int, error: str) -> DeliveryError:
    # The provider's description may quote what was sent; its short word does not.
    if error in _REVOKED:
        return Unauthorized(f"Access was revoked or has ended ({error}): connect anew.", code="oauth_revoked")
    if status in (400, 401, 403) and error:
        return Unauthorized(f"The provider refused client id or secret ({error}).", code="oauth_client")
    if status < 500 and status != 429:
        return Rejected(f"The provider answered {status}.", code="oauth_refused")
    return RetryLater(f"The provider gives no token now ({status}).", code="oauth_busy", lane=True)
