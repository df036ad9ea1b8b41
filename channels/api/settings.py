"""Settings of an API channel."""

from pydantic import Field, SecretStr, field_validator

from channels.base import AdapterSettings


class ApiSettings(AdapterSettings):
    """Where answers go. `signing_secret` is a secret."""

    callback_url: str = Field(
        "",
        max_length=2000,
        description="Where answers are posted to; empty: they are read from the event feed.",
    )
    signing_secret: SecretStr = Field(
        SecretStr(""),
        description="Key of the signature of our calls: the receiver checks them with the same one.",
    )
    allow_private_urls: bool = Field(
        False, description="Files may be fetched from addresses inside your own network."
    )

    @field_validator("callback_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        value = value.strip()
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value
