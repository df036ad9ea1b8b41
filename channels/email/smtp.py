"""Handing a mail to an SMTP server, and what its refusals mean.

Nothing has happened until the mail itself is on its way (DATA); what breaks before may be repeated,
what breaks after has an unknown outcome.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from channels.base import DeliveryError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from channels.email import oauth
from channels.email.compose import Outgoing
from channels.email.settings import EmailSettings

CONNECT_SECONDS = 20
SLOWEST = 50_000
"""Bytes a second of the thinnest line: a large mail is given the time it needs."""
GREYLIST = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60)]
"""Servers that know us not yet take a mail that comes again, some after a quarter of an hour."""


@asynccontextmanager
async def session(settings: EmailSettings) -> AsyncIterator[aiosmtplib.SMTP]:
    """A logged-in connection; raises `RetryLater` or `Unauthorized`."""
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "ssl",
        start_tls=settings.smtp_tls == "starttls",
        tls_context=_trust(settings),
        timeout=min(CONNECT_SECONDS, settings.http.timeout),
    )
    await _open(client, settings)
    client.timeout = settings.http.timeout
    try:
        yield client
    finally:
        with suppress(Exception):
            await client.quit(timeout=2)
        client.close()


def _trust(settings: EmailSettings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=settings.http.ca_bundle or None)
    except (OSError, ValueError):
        raise Rejected("The CA bundle cannot be read.", code="ca_bundle") from None


async def _open(client: aiosmtplib.SMTP, settings: EmailSettings) -> None:
    try:
        await client.connect()
        await client.ehlo()
        await _sign_in(client, settings)
    except DeliveryError:
        client.close()
        raise
    except SMTPResponseException as error:
        client.close()
        raise _login_failure(error) from error
    except (SMTPException, OSError, ValueError) as error:
        client.close()
        raise RetryLater(f"No connection to the SMTP server: {_said(error)}", code="connect") from error


async def _sign_in(client: aiosmtplib.SMTP, settings: EmailSettings) -> None:
    """By password or by token; a token that is refused is asked for anew, once."""
    if settings.auth == "password" or not settings.smtp_auth:
        credentials = settings.smtp_credentials()
        if credentials:
            await client.login(*credentials)
        return
    login = settings.smtp_login or settings.imap_credentials()[0]
    token = await asyncio.to_thread(oauth.access_token, settings)
    try:
        await client.auth_xoauth2(login, token)
    except aiosmtplib.SMTPAuthenticationError:
        fresh = await asyncio.to_thread(oauth.access_token, settings, refused=token)
        await client.auth_xoauth2(login, fresh)


def _login_failure(error: SMTPResponseException) -> DeliveryError:
    if error.code in (530, 534, 535, 538) or (
        isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500
    ):
        return Unauthorized(f"The SMTP server refused login or password: {_answer(error)}", code="smtp_login")
    return RetryLater(f"The SMTP server does not let us in: {_answer(error)}", code="smtp_busy", lane=True)


async def deliver(mail: Outgoing, settings: EmailSettings) -> list[str]:
    """Hand over the mail; addresses in copy that were refused. Raises the four delivery errors."""
    async with session(settings) as client:
        await _announce(client, mail)
        refused = await _name_recipients(client, mail)
        await _transmit(client, mail, settings)
        return refused


async def _announce(client: aiosmtplib.SMTP, mail: Outgoing) -> None:
    limit = client.esmtp_extensions.get("size", "")
    if limit.isdecimal() and 0 < int(limit) < len(mail.content):
        raise Rejected(
            f"The mail is larger than the server takes ({int(limit) // 1_000_000} MB).", code="too_large"
        )
    if mail.utf8 and not client.supports_extension("smtputf8"):
        raise Rejected("The mail server takes no addresses outside of ASCII.", code="no_smtputf8")
    options = [f"size={len(mail.content)}"] if client.supports_extension("size") else []
    options += ["SMTPUTF8"] if mail.utf8 else []
    try:
        await client.mail(mail.sender, options=options, encoding="utf-8" if mail.utf8 else "ascii")
    except SMTPResponseException as error:
        raise _refusal(error) from error
    except (SMTPException, OSError) as error:
        raise RetryLater(f"The SMTP server went away: {_said(error)}", code="connect") from error


async def _name_recipients(client: aiosmtplib.SMTP, mail: Outgoing) -> list[str]:
    """One of those whom the mail is for has to be taken; of those in copy whoever is."""
    encoding = "utf-8" if mail.utf8 else "ascii"
    refused: dict[str, SMTPResponseException] = {}
    try:
        for address in mail.recipients:
            try:
                await client.rcpt(address, encoding=encoding)
            except SMTPResponseException as error:
                refused[address] = error
    except (SMTPException, OSError) as error:
        raise RetryLater(f"The SMTP server went away: {_said(error)}", code="connect") from error
    needed = [refused[address] for address in mail.recipients[: mail.needed] if address in refused]
    if len(needed) == mail.needed:
        raise _refusal(needed[0], recipient=True) from needed[0]
    return [f"{address} ({_answer(error)})" for address, error in refused.items()]


async def _transmit(client: aiosmtplib.SMTP, mail: Outgoing, settings: EmailSettings) -> None:
    try:
        await client.data(mail.content, timeout=settings.http.timeout + len(mail.content) / SLOWEST)
    except (SMTPException, OSError) as error:
        # A code below zero: the answer was cut or no answer at all.
        if isinstance(error, SMTPResponseException) and error.code >= 400:
            raise _refusal(error) from error
        raise OutcomeUnknown(
            "The SMTP server went silent after it had got the mail; it may have been sent.", code="lost_reply"
        ) from error


def _refusal(error: SMTPResponseException, *, recipient: bool = False) -> DeliveryError:
    said = _answer(error)
    if error.code in (530, 535, 538):
        return Unauthorized(f"The SMTP server wants another login: {said}", code="smtp_login")
    if error.code < 500:
        later = RetryLater(f"The mail server asks to try later: {said}", code="smtp_later")
        later.pauses = GREYLIST
        return later
    if error.code == 552 or "5.3.4" in said:
        return Rejected(f"The mail is too large: {said}", code="too_large")
    # 5.7.x is policy against this mail, not the absence of the person.
    gone = recipient and error.code in (550, 551, 553) and " 5.7." not in f" {said}"
    return Rejected(
        f"The mail server refused: {said}", code="no_such_address" if gone else "refused", unreachable=gone
    )


def _answer(error: SMTPResponseException) -> str:
    return f"{error.code} {' '.join(str(error.message).split())[:200]}"


def _said(error: BaseException) -> str:
    if isinstance(error, ValueError):
        # Errors of encoding quote what could not be encoded, which may be of the password.
        return type(error).__name__
    return " ".join(str(error).split())[:200] or type(error).__name__
