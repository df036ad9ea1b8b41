"""Mails that nobody here wrote: none raises, bounces are known, their recipients are as their makers say."""

import ast
import os
import tarfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from channels.base import BadEvent
from channels.email import automatic, bounces, parts
from tests.channels.mail import adapter

FOLDER = Path(__file__).parents[2] / ".cache" / "corpora"
STANDARD = Path(os.__file__).parent / "test" / "test_email" / "data"


@pytest.fixture(scope="module")
def flufl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests of flufl.bounce, with their mails."""
    return _opened("flufl_bounce-6.0.0", tmp_path_factory) / "tests"


def _opened(name: str, factory: pytest.TempPathFactory) -> Path:
    archive = FOLDER / f"{name}.tar.gz"
    if not archive.is_file():
        message = f"{name} is not in .cache/corpora: `make peers` fetches it."
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(message)
        pytest.skip(message)
    folder = factory.mktemp("corpus")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / name


def read(payload: bytes) -> str:
    """What a mail is to us; refusing it with a reason is an answer, too."""
    try:
        return type(adapter().parse(payload)[0]).__name__
    except BadEvent:
        return "BadEvent"


def test_no_mail_of_the_standard_library_raises() -> None:
    if not STANDARD.is_dir():
        pytest.skip("this Python came without its own tests")
    found = [read(path.read_bytes()) for path in STANDARD.glob("*.txt")]
    assert len(found) > 40
    assert found.count("InboundMessage") > 35, found


def test_bounces_are_known_and_none_raises(flufl: Path) -> None:
    mails = sorted((flufl / "data").glob("*.txt"))
    payloads = [path.read_bytes() for path in mails]
    assert len(payloads) > 100
    for payload in payloads:
        read(payload)
    known = {path.name for path, payload in zip(mails, payloads, strict=True) if _is_report(payload)}
    missed = sorted({path.name for path in mails} - known)
    assert not set(missed) & set(_expected(flufl)), "their makers find who it is about"
    assert len(known) / len(mails) >= 0.96, missed


def _is_report(payload: bytes) -> bool:
    mail = parts.open_mail(payload)
    leaves = parts.leaves(mail)
    return (
        automatic.is_bounce(mail) or bool(bounces.statuses(leaves)) or bool(bounces.recipients(mail, leaves))
    )


def test_recipients_of_bounces_are_as_their_makers_expect(flufl: Path) -> None:
    expected = _expected(flufl)
    assert len(expected) > 80
    wrong = {}
    for name, wanted in expected.items():
        mail = parts.open_mail((flufl / "data" / name).read_bytes())
        found = set(bounces.recipients(mail, parts.leaves(mail)))
        if not wanted <= found:
            wrong[name] = (sorted(wanted), sorted(found))
    assert len(wrong) <= len(expected) * 0.05, wrong


def _expected(flufl: Path) -> dict[str, set[str]]:
    """From the tables of their tests: file → the addresses that failed, for good or for now."""
    tables: dict[str, set[str]] = {}
    for path in sorted(flufl.glob("test_*.py")):
        rows = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Tuple)]
        for row in rows:
            values = [_literal(one) for one in row.elts]
            name = next((one for one in values if isinstance(one, str) and one.endswith(".txt")), "")
            found = [
                one.decode().lower() for group in values if isinstance(group, set | list) for one in group
            ]
            if name and (flufl / "data" / name).is_file() and found:
                tables.setdefault(name, set()).update(found)
    return tables


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def test_the_parser_of_the_standard_library_reads_the_same_bounces(flufl: Path) -> None:
    """The corpus is what we think it is: mails."""
    assert all(message_from_bytes(path.read_bytes()).items() for path in (flufl / "data").glob("*.txt"))
