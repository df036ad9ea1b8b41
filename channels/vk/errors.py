"""What VK's error codes mean: `error` of an answer → what to do next."""

from datetime import timedelta
from typing import Any

from channels.base import DeliveryError, Rejected, RetryLater, Unauthorized

_SERVER = frozenset({1, 10, 13, 36, 43})
_TOKEN = frozenset({2, 5, 27, 28, 1117, 3609})
_HUMAN_NEEDED = frozenset({14, 17, 24, 25, 3300, 3301, 3302})
_PAUSES = {6: timedelta(seconds=1), 9: timedelta(minutes=5), 29: timedelta(hours=1)}
_UNREACHABLE = {
    **dict.fromkeys((18, 37, 113, 3610), "deactivated"),
    900: "blocked",
    901: "not_allowed",
    902: "privacy",
    **dict.fromkeys((917, 922, 925, 927, 932, 935, 936, 945, 946), "chat_gone"),
}
_REFUSED = {
    **dict.fromkeys((7, 15, 203, 912), "permission"),
    **dict.fromkeys((100, 911), "bad_request"),
    **dict.fromkeys((910, 914), "too_long"),
    **dict.fromkeys((943, 944, 950), "window"),
    **dict.fromkeys((909, 920, 924), "too_old"),
}


def failure(error: Any) -> DeliveryError:
    """The error for `{"error_code": …, "error_msg": …}`; `code` and `description` inside lists of answers.

    A server error may be repeated: VK drops a second message with the same `random_id`.
    """
    given = error if isinstance(error, dict) else {}
    number = given.get("error_code", given.get("code"))
    code = number if isinstance(number, int) else 0
    # Never more of the answer than this: it also repeats the parameters of the call.
    reason = str(given.get("error_msg") or given.get("description") or "VK refused")[:300]
    return of_code(code, reason)


def of_code(code: int, reason: str) -> DeliveryError:
    if code in _TOKEN:
        return Unauthorized(reason, code="unauthorized")
    if code in _HUMAN_NEEDED:
        return Unauthorized("VK wants a person to confirm the community's access", code="captcha")
    if code in _PAUSES:
        return RetryLater(reason, after=_PAUSES[code], code="flood", lane=True)
    if code in _SERVER:
        return RetryLater(reason, code="server")
    if code in _UNREACHABLE:
        return Rejected(reason, code=_UNREACHABLE[code], unreachable=True)
    return Rejected(reason, code=_REFUSED.get(code, f"vk_{code}"))
