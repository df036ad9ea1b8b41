"""`asyncio.wait_for` loses cancellations before Python 3.12: `asyncio.timeout` does not."""

import ast
from pathlib import Path

import pytest

from tests.architecture.test_sizes import MODULES, ROOT


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_waits_with_wait_for(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == "wait_for":
            pytest.fail(f"line {node.lineno}: use asyncio.timeout")
