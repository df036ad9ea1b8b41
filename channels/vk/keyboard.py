"""Buttons below a message as VK's inline keyboard, and what comes back when one is pressed.

Made as JSON by ourselves: vk_api's builder knows nothing of callback buttons' limits and is loaded for
uploads alone.
"""

import json
from collections.abc import Sequence
from typing import Any

from channels.acts import Button

MAX_BUTTONS = 10
_COLUMNS, _ROWS = 5, 6
_LABEL = 40
"""Characters VK takes."""


def keyboard(rows: Sequence[Sequence[Button]]) -> str | None:
    """`keyboard` of a message, laid out anew where VK has no room; None without buttons."""
    if not any(rows):
        return None
    return json.dumps(
        {"inline": True, "buttons": [[_button(one) for one in row] for row in _fitting(rows)]},
        ensure_ascii=False,
    )


def _fitting(rows: Sequence[Sequence[Button]]) -> list[list[Button]]:
    given = [list(row) for row in rows if row]
    if len(given) <= _ROWS and all(len(row) <= _COLUMNS for row in given):
        return given
    flat = [one for row in given for one in row]
    return [flat[start : start + 2] for start in range(0, len(flat), 2)]


def _button(button: Button) -> dict[str, Any]:
    label = button.text if len(button.text) <= _LABEL else button.text[: _LABEL - 1] + "…"
    if button.url:
        return {"action": {"type": "open_link", "label": label, "link": button.url}}
    # The event of a pressed button brings this and no label.
    payload = json.dumps({"label": label, "data": button.data}, ensure_ascii=False, separators=(",", ":"))
    return {"action": {"type": "callback", "label": label, "payload": payload}}


def pressed(payload: Any) -> dict[str, str]:
    """`pressed` and `data` of a button of ours, from what came back of it."""
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return {}
    if not isinstance(payload, dict) or not isinstance(payload.get("label"), str) or not payload["label"]:
        return {}
    data = payload.get("data")
    return {"pressed": payload["label"], "data": data if isinstance(data, str) else ""}
