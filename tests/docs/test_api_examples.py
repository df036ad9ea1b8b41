"""The examples of the API's pages do what the pages say."""

from pathlib import Path

import pytest

from tests.docs import examples
from tests.docs.pages import ROOT

PAGES = ["docs/api.md", "docs/guide/integrators.en.md", "docs/guide/integrators.ru.md"]


@pytest.mark.parametrize("page", PAGES)
async def test_examples(page: str, values: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    assert await examples.run(ROOT / page, folder=folder, values=values) > 5


def test_a_wrong_answer_is_noticed() -> None:
    differs = examples.differs
    assert differs({"a": 1, "b": ["x…", "…"]}, {"a": 1, "b": ["xy", 2], "c": 3}) is None
    assert differs({"a": 1}, {"a": 2}) == "answer.a is 2, not 1"
    assert differs({"a": {"b": "x…"}}, {"a": {"b": "yx"}}) is not None
    assert differs({"a": None}, {}) is not None
    assert differs([1], [1, 2]) == "answer has 2 items, not 1"
    assert differs([1, 2, "…"], [1]) is not None


def test_the_guides_run_the_same_examples_in_both_languages() -> None:
    def commands(page: str) -> list[str]:
        return [example.block.text for example in examples.find(ROOT / page)]

    assert len(commands(PAGES[1])) == len(commands(PAGES[2]))
