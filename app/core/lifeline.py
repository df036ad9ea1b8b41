"""Children that never outlive their owner, and the operating-system account they run as.

Linux sends a child the agreed signal when the thread that created it ends, however it ended
(prctl(2), PR_SET_PDEATHSIG); on other systems the next start clears what was left.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
SERVICE_ACCOUNT = "otklik"


@dataclass(frozen=True)
class Account:
    """An operating-system user; `switch` says whether we must change to it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def options(self) -> dict[str, Any]:
        """Arguments of `subprocess` that make the child run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def can_enter(self, folder: Path) -> bool:
        """Whether this user gets into `folder`: tried, because modes do not tell about ACLs."""
        command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **self.options())
        return done.returncode == 0


def account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
        return Account(entry.pw_name, uid, entry.pw_gid, switch=uid != os.geteuid())
    except KeyError:
        return Account(str(uid), uid, uid, switch=uid != os.geteuid())


def service_account() -> Account:
    """Who the database server runs as: ourselves, or for root (whom PostgreSQL refuses) a user of its own."""
    if os.geteuid() != 0:
        return account_of(os.geteuid())
    for name in (SERVICE_ACCOUNT, "nobody"):
        if name == SERVICE_ACCOUNT and not _exists(name):
            _create(name)
        if _exists(name):
            return account_of(pwd.getpwnam(name).pw_uid)
    return account_of(65534)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _create(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        command = [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            name,
        ]
        subprocess.run(command, cwd="/", capture_output=True, check=False)


def _tether(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    owner = os.getpid()

    def tie() -> None:
        # Runs after the change of user, which would clear it; the owner may have died before it.
        prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != owner:
            os._exit(1)

    return tie


def follow_parent(stop_signal: signal.Signals = signal.SIGTERM) -> None:
    """Make this process get `stop_signal` when the one that started it (such as make) dies."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)


def spawn(
    command: Sequence[str | Path],
    *,
    stop_signal: signal.Signals,
    account: Account | None = None,
    output: IO[bytes] | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | str | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (Ctrl-C does not reach it) that dies with this process."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "Children are tied to the thread that starts them: start them from the main thread."
        )
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        env=env,
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=True,
        preexec_fn=_tether(stop_signal),
        **(account.options() if account else {}),
    )


def end(child: subprocess.Popen[bytes], *signals: tuple[signal.Signals, float]) -> None:
    """Ask ever more firmly: send each signal, wait its seconds, until the child has ended."""
    for number, patience in (*signals, (signal.SIGKILL, 10.0)):
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
