"""The command line: agents, tokens, channels, quarantined events, on a real database."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from app import cli
from app.core import logs


class Shell:
    """Runs `otklik …` on one database, in this process: a process each would take seconds."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url

    def ok(self, *arguments: str) -> str:
        done = CliRunner().invoke(cli.cli, arguments)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    def refused(self, *arguments: str, **env: str) -> str:
        """The sentence of an error that a user can put right."""
        done = CliRunner(env=env).invoke(cli.cli, arguments)
        assert done.exception is not None
        assert cli._is_expected(done.exception), repr(done.exception)
        return done.output + str(done.exception)

    def value(self, sql: str) -> object:
        async def ask() -> object:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(sql)
            finally:
                await connection.close()

        return asyncio.run(ask())


@pytest.fixture
def shell(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("OTKLIK_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(logs, "setup", lambda **_: None)
    if not cli.cli.registered_groups:
        cli.gather()
    return Shell(database_url)


def test_agents_and_tokens(shell: Shell) -> None:
    added = shell.ok("agent", "add", "Вера", "vera@desk.test", "--role", "admin")
    assert "Password: " in added
    assert "vera@desk.test" in shell.ok("agent", "list")
    assert "New password of vera@desk.test: " in shell.ok("agent", "password", "vera@desk.test")
    token = shell.ok("token", "create", "vera@desk.test", "--scope", "read").strip()
    assert token.startswith("otk_")
    assert shell.value("select scopes from api_tokens") == ["read"]
    assert "email: must be an e-mail address" in shell.refused("agent", "add", "X", "no address")
    assert "nobody@desk.test" in shell.refused("token", "create", "nobody@desk.test")


def test_channels_and_inbound(shell: Shell) -> None:
    added = shell.ok("channel", "add", "webchat", "Site", "greeting=Hi", "http.timeout=5")
    id = added.rsplit(" ", 1)[1].strip()
    assert shell.value("select settings #>> '{http,timeout}' from channels") == "5.0"
    assert "Site" in shell.ok("channel", "list")
    assert "paused" in shell.ok("channel", "pause", id)
    assert "active" in shell.ok("channel", "resume", id)
    refused = shell.refused(
        "channel",
        "add",
        "api",
        "Away",
        "callback_url=http://127.0.0.1:9/",
        "allow_private_urls=true",
        OTKLIK_CHANNEL_SIGNING_SECRET="hush-hush-hush-hush",
    )
    assert "hush" not in refused
    assert shell.value("select count(*) from channels") == 1
    shell.value(
        "insert into inbound (channel_id, key, lane, payload, state, error) "
        "select id, 'k', '', 'x', 'quarantined', 'Not understood.' from channels"
    )
    assert "Not understood." in shell.ok("inbound", "list")
    assert "1 to be understood" in shell.ok("inbound", "replay", "--all")
    assert shell.value("select state from inbound") == "new"
    assert "--all" in shell.refused("inbound", "replay")
