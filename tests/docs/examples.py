"""Running the examples of a page in one bash, and comparing what they print with what stands beside them.

A block ```bash whose first line is `# run` is executed; `# run: 409` says that its last curl gets that
status, else every curl must get a 2xx. A block ```json or ```text right after it is what it prints, where
`…` stands for anything. A block ```python whose first line is `# file: NAME` becomes a file.
"""

import asyncio
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs import pages
from tests.docs.pages import Block

_SECONDS = 60
_PREPARED = """
set -eo pipefail
curl() { command curl -sS -w '%{stderr}@status %{http_code}\\n' "$@"; }
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A block to run, the status it ends with, and what it prints."""

    page: Path
    block: Block
    status: int | None
    expected: Block | None


def find(page: Path) -> list[Example]:
    """The examples of a page, in order."""
    found = []
    blocks = pages.blocks(page)
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        mark = re.match(r"# run(?:: (\d+))?\n", block.text)
        if block.language == "bash" and mark:
            beside = after if after and after.language in ("json", "text") else None
            found.append(Example(page, block, int(mark[1]) if mark[1] else None, beside))
    return found


async def run(page: Path, *, folder: Path, values: dict[str, str]) -> int:
    """Run all examples of a page in `folder`; returns how many there were."""
    for block in pages.blocks(page):
        if name := re.match(r"# file: ([\w.]+)\n", block.text):
            (folder / name[1]).write_text(block.text)
    examples = find(page)
    script = _PREPARED + "".join(_step(number, example) for number, example in enumerate(examples))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # a python3 that has websockets
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env={**os.environ, **values, "PATH": path}, start_new_session=True
    )
    try:
        async with asyncio.timeout(_SECONDS):
            code = await process.wait()
    finally:
        _end(process.pid)
    for number, example in enumerate(examples):
        _judge(example, folder, number, ended=code)
    assert code == 0
    return len(examples)


def _end(group: int) -> None:
    """End what the examples left running in the background."""
    try:
        os.killpg(group, 15)
    except ProcessLookupError:
        return


def _step(number: int, example: Example) -> str:
    return f"{{\n{example.block.text}\n}} >{number}.out 2>{number}.err\n"


def _judge(example: Example, folder: Path, number: int, *, ended: int) -> None:
    where = f"{example.page.name}:{example.block.line}"
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    assert out.exists(), f"{where} was not reached (exit {ended})"
    text, errors = out.read_text(), err.read_text()
    statuses = [int(status) for status in re.findall(r"@status (\d+)", errors)]
    if example.status is not None:
        assert statuses[-1:] == [example.status], f"{where}: {statuses} {text} {errors}"
        statuses.pop()
    assert all(200 <= status < 300 for status in statuses), f"{where}: {statuses} {text} {errors}"
    if example.expected is not None:
        _compare(example.expected, text, where)


def _compare(expected: Block, text: str, where: str) -> None:
    if expected.language == "json":
        problem = differs(json.loads(expected.text), json.loads(text))
        assert problem is None, f"{where}: {problem}; it printed {text}"
    else:
        assert _matches(expected.text.strip(), text.strip()), f"{where}: it printed {text!r}"


def _matches(pattern: str, text: str) -> bool:
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text, re.DOTALL))


def differs(expected: Any, found: Any, path: str = "answer") -> str | None:
    """Where `found` is not as the page says, or None. A page may leave out keys and the end of a list."""
    if isinstance(expected, str) and "…" in expected:
        good = expected == "…" or (isinstance(found, str) and _matches(expected, found))
        return None if good else f"{path} is {found!r}, not {expected!r}"
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(f"{path}.{key}", value, found.get(key, KeyError)) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(found, list):
        more = expected[-1:] == ["…"]
        wanted = expected[:-1] if more else expected
        if len(found) < len(wanted) or (len(found) > len(wanted) and not more):
            return f"{path} has {len(found)} items, not {len(wanted)}"
        pairs = [(f"{path}[{place}]", a, b) for place, (a, b) in enumerate(zip(wanted, found, strict=False))]
    else:
        return None if expected == found else f"{path} is {found!r}, not {expected!r}"
    return next((problem for name, a, b in pairs if (problem := differs(a, b, name))), None)
