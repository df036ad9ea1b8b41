"""The command line: agents, tokens, channels, quarantined events. Real processes on a real database."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """Runs `otklik …` on one database."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.env = os.environ | {"DATABASE_URL": database_url, "OTKLIK_DATA_DIR": str(folder)}
        self.url = database_url

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env | env, capture_output=True, text=True, timeout=90, check=False
        )

    def ok(self, *arguments: str, **env: str) -> str:
        done = self.run(*arguments, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def value(self, sql: str) -> object:
        async def ask() -> object:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(sql)
            finally:
                await connection.close()

        return asyncio.run(ask())


def test_agents_and_tokens(database_url: str, tmp_path: Path) -> None:
    shell = Shell(database_url, tmp_path)
    added = shell.ok("agent", "add", "Вера", "vera@desk.test", "--role", "admin")
    assert "Password: " in added
    assert "vera@desk.test" in shell.ok("agent", "list")
    assert "New password of vera@desk.test: " in shell.ok("agent", "password", "vera@desk.test")
    token = shell.ok("token", "create", "vera@desk.test", "--scope", "read").strip()
    assert token.startswith("otk_")
    assert shell.value("select scopes from api_tokens") == ["read"]
    wrong = shell.run("agent", "add", "X", "no address")
    assert (wrong.returncode, wrong.stderr) == (2, "otklik: email: must be an e-mail address\n")
    unknown = shell.run("token", "create", "nobody@desk.test")
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


def test_channels_and_inbound(database_url: str, tmp_path: Path) -> None:
    shell = Shell(database_url, tmp_path)
    added = shell.ok("channel", "add", "webchat", "Site", "greeting=Hi", "http.timeout=5")
    id = added.rsplit(" ", 1)[1].strip()
    assert shell.value("select settings #>> '{http,timeout}' from channels") == "5.0"
    assert "Site" in shell.ok("channel", "list")
    assert "paused" in shell.ok("channel", "pause", id)
    assert "active" in shell.ok("channel", "resume", id)
    refused = shell.run(
        "channel",
        "add",
        "api",
        "Away",
        "callback_url=http://127.0.0.1:9/",
        "allow_private_urls=true",
        OTKLIK_CHANNEL_SIGNING_SECRET="hush-hush-hush-hush",
    )
    assert refused.returncode == 2
    assert "hush" not in refused.stderr + refused.stdout
    assert shell.value("select count(*) from channels") == 1
    shell.value(
        "insert into inbound (channel_id, key, lane, payload, state, error) "
        "select id, 'k', '', 'x', 'quarantined', 'Not understood.' from channels"
    )
    assert "Not understood." in shell.ok("inbound", "list")
    assert "1 to be understood" in shell.ok("inbound", "replay", "--all")
    assert shell.value("select state from inbound") == "new"
    assert shell.run("inbound", "replay").returncode == 2
