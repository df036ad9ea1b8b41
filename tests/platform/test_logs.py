"""No secret reaches the log, whichever way it goes in."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog

from app.core import logs

BOT = "123456789:AAE-abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_redacted(as_json: bool, capfd: pytest.CaptureFixture[str]) -> None:
    logs.setup(level="debug", json=as_json)
    log = structlog.get_logger("test")
    log.info(
        "call",
        url=f"https://api.telegram.org/bot{BOT}/getMe",
        password="pw-of-agent",
        headers={"Authorization": "Bearer abcdefghijkl", "X-Telegram-Bot-Api-Secret-Token": "hooksecret"},
        note="see https://x.test/?access_token=vk1.a.qwertyuiop&v=5",
        database="postgresql://otklik:dbpassword@db/otklik",
        error=RuntimeError(f"bad {BOT}"),
    )
    logging.getLogger("plain").warning("GET %s", httpx.URL(f"https://api.telegram.org/bot{BOT}/x"))
    try:
        raise ValueError(f"token={BOT}")
    except ValueError:
        log.exception("failed")
    text = capfd.readouterr().err
    for secret in (
        BOT,
        "AAE-abc",
        "pw-of-agent",
        "abcdefghijkl",
        "hooksecret",
        "qwertyuiop",
        "dbpassword",
    ):
        assert secret not in text
    assert "getMe" in text
    assert "ValueError" in text
    if as_json:
        assert [json.loads(line)["level"] for line in text.splitlines()] == ["info", "warning", "error"]
