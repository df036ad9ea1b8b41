"""A real Dovecot: IMAP and LMTP on ports of its own, all state in a temporary folder.

`serving()` starts one; every address has a mailbox, all with one password. It dies with the process that
started it.
"""

import ctypes
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.helpers import eventually_sync, require

PASSWORD = "correct-horse"
DOMAIN = "example.test"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
mail_location = maildir:{folder}/mail/%u
mail_uid = {mail_user}
mail_gid = {mail_group}
first_valid_uid = 1
last_valid_uid = 0
first_valid_gid = 1
mail_max_userip_connections = 200
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
auth_failure_delay = 0 secs
imap_idle_notify_interval = 1 mins
mailbox_idle_check_interval = 1 secs
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = allow_all_users=yes uid={mail_user} gid={mail_group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
protocol lmtp {{
  auth_username_format = %Lu
  postmaster_address = postmaster@{domain}
}}
"""


class Dovecot:
    """A running server."""

    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.imap_port = _free_port()
        self.lmtp_port = _free_port()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration and run in the foreground of a child."""
        program = require("dovecot", "a real mail server for the tests")
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir(exist_ok=True)
        users = _users()
        if os.getuid() == 0:
            shutil.chown(self.folder / "mail", users["mail_user"], users["mail_group"])
        config = self.folder / "dovecot.conf"
        config.write_text(
            _CONFIG.format(
                folder=self.folder,
                imap=self.imap_port,
                lmtp=self.lmtp_port,
                domain=DOMAIN,
                password=PASSWORD,
                **users,
            )
        )
        self._process = subprocess.Popen(
            [program, "-F", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )
        eventually_sync(lambda: self._listens(self.imap_port) and self._listens(self.lmtp_port), 15)

    def stop(self) -> None:
        """End the server and everything it started; its folder is thrown away, so without ceremony."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "dovecot.log").read_text(errors="replace")

    def add_user(self, name: str = "") -> str:
        """Address of a mailbox that nobody else uses; the password is `PASSWORD`."""
        return f"{name or f'box{os.getpid()}n{next(self._numbers)}'}@{DOMAIN}"

    def deliver(self, content: bytes, *recipients: str, sender: str = "someone@elsewhere.test") -> None:
        """Put a mail into mailboxes, as a mail server does."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            # One by one: LMTP answers once for each recipient, smtplib reads one answer.
            for recipient in recipients:
                lmtp.sendmail(sender, [recipient], content)

    @contextmanager
    def client(self, address: str) -> Iterator[IMAPClient]:
        """A logged-in IMAP client of the test's own, with INBOX open for writing."""
        client = IMAPClient(self.host, self.imap_port, ssl=False, timeout=20)
        try:
            client.login(address, PASSWORD)
            client.select_folder("INBOX")
            yield client
        finally:
            with suppress(Exception):
                client.logout()

    def kick(self, address: str) -> int:
        """Cut every connection of a user; how many there were."""
        done = self.admin("kick", address, check=False)
        return int(done.returncode == 0)

    def connections(self, address: str) -> int:
        """Open IMAP connections of a user."""
        listed = self.admin("who", "-1", address).stdout.decode()
        return sum(1 for line in listed.splitlines() if line.startswith(address))

    def admin(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        """Run doveadm against this server."""
        program = require("doveadm")
        config = str(self.folder / "dovecot.conf")
        return subprocess.run(
            [program, "-c", config, *arguments], capture_output=True, check=check, timeout=20
        )

    def _listens(self, port: int) -> bool:
        with suppress(OSError), socket.create_connection((self.host, port), timeout=1):
            return True
        return False


@contextmanager
def serving() -> Iterator[Dovecot]:
    """A server for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="otklik-dovecot-"))
    folder.chmod(0o755)  # the server's own users must get in
    server = Dovecot(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """One server for the run (of this worker); tests take a mailbox each."""
    with serving() as server:
        yield server


def _users() -> dict[str, str]:
    """Whose rights the parts of the server take: those of its package, or our own when not root."""
    if os.getuid() != 0:
        me = pwd.getpwuid(os.getuid()).pw_name
        return dict.fromkeys(("login_user", "internal_user", "mail_user", "mail_group", "internal_group"), me)
    return {
        "login_user": "dovenull",
        "internal_user": "dovecot",
        "internal_group": "dovecot",
        "mail_user": "nobody",
        "mail_group": "nogroup",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
