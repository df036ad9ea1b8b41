"""Accounts before they are saved: validating their settings, sealing their secrets, a first real call."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Invalid
from app.core.secrets import random_token
from channels import registry
from channels.base import Account, AccountInfo, Adapter, AdapterSettings, RetryLater, secret_fields
from channels.models import Channel

_OWN_SECRET = "_webhook"  # noqa: S105 - a name: no adapter's field begins with an underscore
_LONGEST_CHECK = 45.0


class Box(Protocol):
    """What seals secrets (`app.core.secrets.Box`)."""

    def seal(self, value: dict[str, Any]) -> bytes: ...

    def unseal(self, sealed: bytes) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """An account that is not saved yet, or not with these settings."""

    id: UUID
    kind: str
    name: str
    settings: AdapterSettings
    webhook_key: str
    webhook_secret: str

    def account(self, url: str) -> Account:
        return Account(
            id=self.id,
            name=self.name,
            settings=self.settings,
            webhook_url=f"{url}/hooks/{self.webhook_key}",
            webhook_secret=self.webhook_secret,
        )

    def public(self) -> dict[str, Any]:
        return self.settings.model_dump(mode="json", exclude=set(secret_fields(type(self.settings))))

    def secrets(self) -> dict[str, Any]:
        found: dict[str, Any] = {_OWN_SECRET: self.webhook_secret}
        for name in secret_fields(type(self.settings)):
            value = getattr(self.settings, name)
            if isinstance(value, SecretStr) and value.get_secret_value():
                found[name] = value.get_secret_value()
        return found


async def load_kind(kind: str) -> type[Adapter]:
    """The adapter class; the first use of a kind imports it, which may take seconds."""
    try:
        return await asyncio.to_thread(registry.load, kind)
    except (KeyError, ModuleNotFoundError):
        raise Invalid(f"There is no channel of the kind `{kind}`.", field="kind") from None


def validate(adapter: type[Adapter], values: Mapping[str, Any]) -> AdapterSettings:
    """The adapter's settings; raises `Invalid` with one error per field, never with a value."""
    try:
        return adapter.Settings.model_validate(dict(values))
    except ValidationError as error:
        errors = [
            {
                "field": ".".join(["settings", *(str(part) for part in item["loc"])]),
                "code": item["type"],
                "message": item["msg"].removeprefix("Value error, "),
            }
            for item in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise Invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors=errors) from None


async def draft(id: UUID, *, kind: str, name: str, settings: Mapping[str, Any]) -> Draft:
    """A new account with a webhook key and a webhook secret of its own."""
    adapter = await load_kind(kind)
    return Draft(id, kind, name, validate(adapter, settings), random_token(24), random_token(24))


async def new_id(session: AsyncSession) -> UUID:
    """The id of a channel before it is saved: its adapter needs one for the first call."""
    id: UUID = (await session.execute(text("select uuidv7()"))).scalar_one()
    return id


async def redraft(
    channel: Channel, box: Box, *, name: str | None = None, settings: Mapping[str, Any] | None = None
) -> Draft:
    """The stored account, with changes: secrets that are empty or left out are kept."""
    adapter = await load_kind(channel.kind)
    sealed = box.unseal(channel.secrets) if channel.secrets else {}
    webhook_secret = str(sealed.pop(_OWN_SECRET, ""))
    values = {**channel.settings, **sealed}
    for field, value in (settings or {}).items():
        if field not in secret_fields(adapter.Settings) or value:
            values[field] = value
    return Draft(
        channel.id,
        channel.kind,
        name or channel.name,
        validate(adapter, values),
        channel.webhook_key,
        webhook_secret,
    )


async def ask(prepared: Draft, *, url: str) -> AccountInfo:
    """Call the platform for real; raises `DeliveryError`. Call it with no transaction open."""
    adapter = (await load_kind(prepared.kind))(prepared.account(url))
    limit = min(prepared.settings.http.timeout + 5, _LONGEST_CHECK)
    try:
        async with asyncio.timeout(limit):
            return await adapter.check()
    except TimeoutError:
        raise RetryLater(
            f"The platform did not answer within {limit:.0f} s.", after=timedelta(minutes=1), code="timeout"
        ) from None
    finally:
        await adapter.close()
