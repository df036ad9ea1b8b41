"""Alert rules and dashboard name only what the program shows, and each alert is explained."""

import json
import re
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

import app.worker  # noqa: F401 - its loops' figures
from tests.docs.pages import ROOT
from tests.watch.test_metrics import local

OPERATIONS = ROOT / "docs" / "operations"
_NAME = re.compile(r"\b(?:otklik|process)_[a-z_]+\b")


def _rules() -> list[dict[str, Any]]:
    text = (OPERATIONS / "prometheus" / "alerts.yml").read_text("utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def _expressions() -> list[str]:
    dashboard = json.loads((OPERATIONS / "grafana" / "otklik.json").read_text("utf-8"))
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(targets) > 20
    return targets + [rule["expr"] for rule in _rules()]


@pytest.fixture
async def shown(app: FastAPI) -> set[str]:
    """Names in the output; of families without a sample yet, those they will have."""
    async with local(app) as client:
        answer: httpx.Response = await client.get("/metrics")
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)", answer.text, re.MULTILINE):
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + ending for ending in endings}
    return names


async def test_every_metric_that_is_named_is_shown(shown: set[str]) -> None:
    named = {name for text in _expressions() for name in _NAME.findall(text)}
    assert named
    assert named - shown == set()


async def test_every_metric_that_is_explained_is_shown(shown: set[str]) -> None:
    page = (OPERATIONS / "monitoring.md").read_text("utf-8")
    known = shown | {name.removesuffix("_count") for name in shown}
    assert set(re.findall(r"`(otklik_[a-z_]+)`", page)) - known == set()
    ours = {name for name in known if name.startswith("otklik_")}
    unexplained = {
        name for name in ours if not re.search(rf"`{re.sub('_(bucket|sum|count)$', '', name)}`", page)
    }
    assert unexplained == set()


def test_every_alert_says_what_to_do_and_stands_in_the_documentation() -> None:
    page = (OPERATIONS / "monitoring.md").read_text("utf-8")
    rules = _rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert f"| `{rule['alert']}` |" in page
    assert {rule["alert"] for rule in rules} == set(re.findall(r"^\| `(Otklik\w+)` \|", page, re.MULTILINE))
