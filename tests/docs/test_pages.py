"""What the documentation says about settings, commands, errors, facts and other pages is so."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main
from pydantic import AliasChoices

import app
import channels
import dialogs
import tasks
from app.commands import __path__ as _command_modules
from app.core.config import Settings
from app.core.db import Database
from app.core.errors import AppError
from app.core.facts import Position, Resync, decode, encode, epoch, head, need_kept
from app.web import hub, live, problems
from tests.channels.contract import points
from tests.docs import pages
from tests.docs.pages import ROOT

API = ROOT / "docs" / "api.md"


def _ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages.every_page(), ids=_ids)
def test_links_resolve(page: Path) -> None:
    broken = []
    for link in pages.links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in pages.anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages.every_page()
        for link in pages.links(page)
        if "://" not in link
    }
    assert [
        str(page) for page in pages.every_page() if page not in linked and "console" not in page.parts
    ] == []


# --- languages ------------------------------------------------------------------------------


def _english() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.en.md"))]


@pytest.mark.parametrize("page", _english(), ids=_ids)
def test_both_languages_have_the_same_structure(page: Path) -> None:
    name = page.name.replace(".en.md", ".ru.md").replace("README.md", "README.ru.md")
    other = page.with_name(name)
    assert [level for level, _ in pages.headings(page)] == [level for level, _ in pages.headings(other)]
    assert len(pages.blocks(page)) == len(pages.blocks(other))
    assert name in pages.links(page)
    assert page.name in pages.links(other)


# --- settings -------------------------------------------------------------------------------


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"OTKLIK_{name.upper()}"


def _said(value: object) -> str:
    if value is None:
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_is_documented_with_its_default_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", _text("docs/operations/settings.md"), re.MULTILINE)
    assert dict(rows) == {
        _variable(name): _said(field.default) for name, field in Settings.model_fields.items()
    }


def _text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def test_settings_named_anywhere_exist() -> None:
    known = {_variable(name) for name in Settings.model_fields} | {"OTKLIK_DATABASE_URL"}
    for page in pages.every_page():
        named = set(re.findall(r"\bOTKLIK_[A-Z_]+\b", page.read_text("utf-8"))) - {"OTKLIK_API"}
        assert {name for name in named - known if not name.startswith("OTKLIK_CHANNEL_")} == set(), page


# --- commands -------------------------------------------------------------------------------


def _program() -> Any:
    found = typer.Typer()
    for module in pkgutil.iter_modules(_command_modules):
        offered = getattr(importlib.import_module(f"app.commands.{module.name}"), "app", None)
        if isinstance(offered, typer.Typer):
            found.add_typer(offered)
    return typer.main.get_command(found)


def test_commands_named_anywhere_exist() -> None:
    root = _program()
    for page in pages.every_page():
        for words in re.findall(r"\botklik ([a-z]+(?: [a-z]+)?)", _commands(page)):
            first, _, second = words.partition(" ")
            assert first in root.commands, f"{page.name}: otklik {words}"
            inner = getattr(root.commands[first], "commands", None)
            assert inner is None or not second or second in inner, f"{page.name}: otklik {words}"


def _commands(page: Path) -> str:
    """Code of a page, where `otklik add|check` is written out."""
    code = [block.text for block in pages.blocks(page)]
    code += re.findall(r"`([^`\n]+)`", pages.prose(page))
    return "\n".join(re.sub(r"(\w+)(\|\w+)+", r"\1", text) for text in code)


def test_options_named_anywhere_exist() -> None:
    root = _program()
    for page in pages.every_page():
        for first, second, rest in re.findall(r"\botklik ([a-z]+) ?([a-z]*)([^\n|&]*)", _commands(page)):
            inner = getattr(root.commands[first], "commands", {}).get(second, root.commands[first])
            known = {option for parameter in inner.params for option in parameter.opts}
            assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, (
                f"{page.name}: otklik {first} {second}"
            )


def test_make_targets_named_anywhere_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    for page in pages.every_page():
        assert set(re.findall(r"^make ([a-z-]+)", _commands(page), re.MULTILINE)) <= known, page


# --- errors ---------------------------------------------------------------------------------


def _all_errors() -> Iterator[type[AppError]]:
    for package in (app, channels, dialogs, tasks):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    waiting: list[type[AppError]] = [AppError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error is not AppError:
            yield error


def test_every_error_is_in_the_table_with_its_status() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", API.read_text("utf-8"), re.MULTILINE))
    known = {(error.code, str(error.status)) for error in _all_errors()}
    known |= {(code, str(status)) for status, code in problems._CODES.items()}
    assert documented == known


# --- facts and the websocket ----------------------------------------------------------------


def test_every_type_of_fact_is_in_the_table() -> None:
    cells = "\n".join(pages.table_column(API, "type"))
    documented = set(re.findall(r"`(\w+\.\w+)`", cells))
    written: set[str] = set()
    for folder in ("app", "channels", "dialogs", "tasks"):
        for path in [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.sql")]:
            written |= set(_FACT.findall(path.read_text("utf-8")))
    assert documented == written | {"dialog.hidden", "task.hidden"}


_NOUNS = "customer|identity|dialog|message|attachment|task|channel|agent|team|inbound"
_VERBS = (
    "created|changed|added|reachability|opened|reopened|woken|closed|assigned|snoozed|read|edited|cancelled|"
)
_VERBS += "deleted|reaction|act|status|overdue|linked|unlinked|audience|removed|quarantined"
_VERBS += "|merged|unmerged|moved"
_FACT = re.compile(rf"""(?<!kind=)["']((?:{_NOUNS})\.(?:{_VERBS}))["']""")


def test_close_codes_are_in_the_table() -> None:
    documented = set(re.findall(r"\d{4}", " ".join(pages.table_column(API, "close code"))))
    codes = {hub.SIGN_IN_AGAIN, hub.TOO_SLOW, hub.RESYNC, hub.GOING, live._FOREIGN}
    assert {str(code) for code in codes} <= documented


# --- backup ---------------------------------------------------------------------------------


async def test_what_a_restored_database_is_told_works(db: Database) -> None:
    (sql,) = (
        block.text for block in pages.blocks(ROOT / "docs/operations/backup.md") if block.language == "sql"
    )
    await db.raw.execute('insert into installation ("only") values (true) on conflict do nothing')
    async with db.transaction() as session:
        before = await epoch(session)
    await db.raw.execute("update installation set facts_floor_xid = 999999, facts_floor_id = 1")
    await db.raw.execute(
        "insert into facts (type, actor_kind, xid) values ('dialog.closed', 'system', '999999999')"
    )
    await db.raw.execute(sql)
    (drill,) = re.findall(r"`(update channels [^`]+)`", pages.prose(ROOT / "docs/operations/backup.md"))
    await db.raw.execute(drill)
    async with db.transaction() as session:
        after = await epoch(session)
    with pytest.raises(Resync):
        decode(encode(Position(1, 1), epoch=before), epoch=after)
    await need_kept(db.raw, await head(db.raw))
    hidden = "select count(*) from facts where xid >= pg_snapshot_xmin(pg_current_snapshot())"
    assert await db.raw.fetchval(hidden) == 0


# --- channels -------------------------------------------------------------------------------


def test_the_table_of_channels_is_what_they_declare_and_pass() -> None:
    """`python -m tests.channels.contract.points` writes it anew."""
    assert points.PAGE.read_text("utf-8") == points.page()
