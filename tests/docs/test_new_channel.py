"""The guide to a channel of one's own: its example is a channel, and passes all contract tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

_PAGES = [ROOT / "docs" / "guide" / f"new-channel.{language}.md" for language in ("en", "ru")]
_BLOCK = re.compile(r"```(python|json)\n(.*?)```", re.DOTALL)
_TEST = """
from channels import registry

registry.ADAPTERS["pigeon"] = "pigeon.adapter:PigeonAdapter"
"""


def blocks(page: Path) -> list[str]:
    return [found[2] for found in _BLOCK.finditer(page.read_text("utf-8"))]


def test_both_languages_show_the_same_channel() -> None:
    english, russian = map(blocks, _PAGES)
    assert len(english) == 3
    assert english == russian


def test_the_example_passes_the_contract(tmp_path: Path) -> None:
    adapter, kit, recorded = blocks(_PAGES[0])
    for name, text in {
        "pigeon/__init__.py": "",
        "pigeon/adapter.py": adapter,
        "kit_pigeon.py": _TEST + kit,
        "golden/pigeon/message.json": recorded,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    env = os.environ | {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "OTKLIK_KIT": "kit_pigeon",
        "OTKLIK_GOLDEN": str(tmp_path / "golden"),
        "UPDATE_GOLDEN": "1",
    }
    env.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "tests/channels/contract", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) > 50, "the suite ran over it"
