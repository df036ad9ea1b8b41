"""Logging of the whole program through structlog: readable lines or JSON, and never a secret."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.types import EventDict, Processor

_SECRET_KEY = re.compile(
    r"token|secret|passw|authori[sz]ation|cookie|api_?key|credential|private", re.IGNORECASE
)
_SECRET_TEXT = (
    (re.compile(r"(/?bot)\d{5,}:[\w-]{20,}"), r"\1***"),  # Telegram's API has the token in the path
    (re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}"), "***"),
    (re.compile(r"\bvk1\.a\.[\w.-]+"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (
        re.compile(r"(?i)\b((?:access_|refresh_|api_?)?(?:token|key)|secret|password)=[^&\s'\"]+"),
        r"\1=***",
    ),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), r"\1:***@"),  # a password in an address
)


def redact(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern, instead in _SECRET_TEXT:
        text = pattern.sub(instead, text)
    return text


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict) and depth < 6:
        return {k: "***" if _is_secret(k, v) else _clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple) and depth < 6:
        return [_clean(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def _is_secret(key: object, value: object) -> bool:
    return isinstance(value, str | bytes) and bool(value) and _SECRET_KEY.search(str(key)) is not None


def redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """structlog processor: the last before rendering, so that tracebacks are covered as well."""
    return {key: _clean({key: value})[key] for key, value in event.items() if not key.startswith("_")}


def setup(*, level: str = "info", json: bool = False) -> None:
    """Configure structlog and route the standard library's logging through it. Writes to stderr."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, json=json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in (
        "uvicorn",
        "uvicorn.error",
        "httpx",
        "httpcore",
        "aiogram",
        "imapclient",
        "urllib3",
        "asyncio",
        "alembic",
    ):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _formatter(shared: list[Processor], *, json: bool) -> logging.Formatter:
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer],
    )
