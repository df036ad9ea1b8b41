"""Settings: from the environment (`OTKLIK_…`) and a `.env` file, checked at the start."""

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which one and what to write instead."""


class Settings(BaseSettings):
    """Every setting of the program. Sizes are bytes; times are seconds or hours as named."""

    model_config = SettingsConfigDict(
        env_prefix="OTKLIK_", env_file=".env", extra="ignore", populate_by_name=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: str | None = None
    """Address at which browsers and platforms reach us, as `https://desk.example.org`."""

    trusted_proxies: str = "127.0.0.1,::1"
    """Addresses and networks whose `X-Forwarded-For` and `-Proto` are believed, with commas."""

    data_dir: Path = Path("data")
    """Folder of the embedded database, local files and the generated secret key."""
    database_url: str | None = Field(
        None, validation_alias=AliasChoices("DATABASE_URL", "OTKLIK_DATABASE_URL")
    )
    """`postgresql://…`; without it the embedded server is used."""
    pool_size: Annotated[int, Field(ge=2, le=64)] = 4
    """Connections a process keeps for its requests, and again as many for its loops."""
    sockets_per_agent: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Live connections of one agent or token to one process; twice as many may come at once."""
    nats_url: str | None = None
    """`nats://…` (several: with commas): wakes the other processes instead of PostgreSQL's NOTIFY."""
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 3
    """How long `otklik serve` still answers after SIGTERM while `/readyz` says that it goes."""
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Web servers that `otklik up` runs side by side on one port."""
    work_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Workers that `otklik up` runs."""
    files: str | None = None
    """`s3://bucket/prefix` or a folder; without it `data_dir/files`."""
    secret_key: str | None = None
    """32 bytes, URL-safe base64: encrypts channel secrets. Made in `data_dir` when not set."""

    locale: Literal["ru", "en"] = "ru"
    """Language of the first administrator and of what the first start makes."""
    session_days: Annotated[int, Field(ge=1, le=365)] = 30
    undo_seconds: Annotated[float, Field(ge=0, le=120)] = 3
    """How long an answer waits before it leaves, so that it can be taken back."""
    reopen_messenger_hours: Annotated[int, Field(ge=0)] = 48
    reopen_email_hours: Annotated[int, Field(ge=0)] = 120
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    """Largest request body that is not a file upload or a mail."""
    max_file_bytes: Annotated[int, Field(ge=1024)] = 50 * 1024 * 1024
    max_waiting: Annotated[int, Field(ge=1)] = 200
    """Requests that may wait for an answer in a web process, and as many webhooks; more are answered 503."""
    max_sockets: Annotated[int, Field(ge=1)] = 5000
    """Consoles that may be connected to a web process, and as many visitors of site chats."""
    max_backlog: Annotated[int, Field(ge=1)] = 10_000
    """Raw events waiting to be understood at which channels are no longer asked for more."""
    keep_raw_days: Annotated[int, Field(ge=1)] = 90
    """How long events of platforms are kept as they came, once they are understood."""
    keep_facts_days: Annotated[int, Field(ge=1)] = 400
    """How long the log of facts goes back: timelines, audit, and clients that were away."""
    keep_messages_months: Annotated[int, Field(ge=0)] = 0
    """How many whole months of messages and their files are kept; 0: all."""
    mark_read: bool = True
    """Whether customers see on their platforms that an agent has read what they wrote."""
    loops_in_web: bool = True
    """Whether `otklik serve` understands inbound events itself right after it stored them."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    metrics_token: str | None = None
    """Who shows it may read `/metrics`; without it whoever asks from this machine."""
    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Port at which `otklik work` shows its figures."""
    otel_endpoint: str | None = None
    """Where spans go, as `http://collector:4318`; without it there are none."""

    @field_validator("database_url")
    @classmethod
    def _postgres_only(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://, or be left out for the embedded server")
        return value

    @field_validator("nats_url")
    @classmethod
    def _nats_only(cls, value: str | None) -> str | None:
        for server in (value or "").split(",") if value else ():
            url = urlsplit(server.strip())
            if url.scheme not in ("nats", "tls") or not url.hostname:
                raise ValueError("must be nats://host:4222 or tls://…, several with commas")
        return value or None

    @field_validator("files")
    @classmethod
    def _known_store(cls, value: str | None) -> str | None:
        if value and "://" in value and not value.startswith(("s3://", "file://")):
            raise ValueError("must be s3://bucket/prefix or a folder")
        return value or None

    @field_validator("public_url", "otel_endpoint")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/") if value else None

    @cached_property
    def url(self) -> str:
        """Our own address without a trailing slash."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def undo(self) -> timedelta:
        return timedelta(seconds=self.undo_seconds)


def load(**overrides: object) -> Settings:
    """Read the settings; raises `SettingsError` with one sentence per wrong setting."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else "?"
        env = name if name.isupper() else f"OTKLIK_{name.upper()}"
        text = item["msg"].removeprefix("Value error, ")
        value = item.get("input")
        hidden = "secret" in name or "token" in name or "://" in str(value)  # addresses may hold passwords
        lines.append(f"{env}: {text}." if hidden else f"{env}: {text} (now: {value!r}).")
    return "\n".join(lines)
