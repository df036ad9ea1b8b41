"""What every channel has to stand, point by point, the tests that show it, and who is exempt for what reason.

`python -m tests.channels.contract.points` writes docs/channels.md from it.
"""

# ruff: noqa: E501
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from channels import registry
from channels.base import Capabilities
from tests.channels.contract.kit import Kit, kits

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "channels.md"
NAMES = {"telegram": "Telegram", "vk": "VK", "email": "E-mail", "webchat": "Site chat", "api": "API"}
IN, OUT = "channels/contract/test_inbound.py", "channels/contract/test_outbound.py"
CORE_IN, CORE_OUT, KILLED = "dialogs/test_inbox.py", "dialogs/test_outbox.py", "crash/test_killed.py"

POINTS: list[tuple[str, list[str]]] = [
    ("An event that comes three times, also at once, is one message",
     [f"{CORE_IN}::test_many_transports_storing_the_same_events_store_them_once",
      "dialogs/test_thread.py::test_the_same_message_is_stored_once"]),
    ("A crash before storing, before or after the commit, before the acknowledgement: nothing lost, nothing double",
     [f"{IN}::test_a_crash_before_storing_loses_nothing", f"{KILLED}::test_what_came_in_is_in_the_thread_once"]),
    ("A poisonous event is put aside with its reason, the next one is understood, a replay works",
     [f"{IN}::test_poison_is_refused_with_a_reason", f"{IN}::test_spoilt_events_are_understood_or_refused",
      f"{CORE_IN}::test_poison_is_quarantined_and_blocks_nothing",
      f"{CORE_IN}::test_our_own_mistake_is_quarantined_whole_and_can_be_replayed"]),
    ("Unknown kinds and fields: ignored, or shown as something that cannot be shown",
     [f"{IN}::test_strange_events_raise_nothing_but_bad_event",
      f"{IN}::test_a_persons_message_of_an_unknown_kind_is_kept"]),
    ("Order within a chat is kept by parallel workers; other chats do not wait",
     [f"{CORE_IN}::test_a_lane_keeps_its_order_under_parallel_loops",
      f"{CORE_OUT}::test_dialogs_are_sent_in_order_and_side_by_side"]),
    ("A restart goes on after the cursor, a gap is filled without doubles",
     [f"{IN}::test_a_restart_resumes_after_the_cursor",
      f"{IN}::test_pull_brings_everything_once_and_in_order"]),
    ("Two pollers of one account: fenced, nothing lost",
     [f"{IN}::test_two_pollers_lose_nothing", "cluster/test_cluster.py::test_killed_in_turn_under_load"]),
    ("Lost connections, black holes, 5xx, pages of proxies, slow bodies: said as what they are, recovered from",
     [f"{IN}::test_a_disturbed_pull_says_retry_and_recovers",
      f"{OUT}::test_a_disturbed_send_is_never_called_a_success",
      f"{OUT}::test_a_disturbed_check_may_be_repeated"]),
    ("Revoked credentials stop the channel, nobody hammers the platform",
     [f"{IN}::test_a_revoked_pull_stops_the_channel", f"{OUT}::test_a_revoked_check_is_unauthorized",
      f"{CORE_OUT}::test_refused_credentials_stop_the_channel_and_keep_the_message"]),
    ("A wrong or missing webhook secret: refused, nothing stored",
     [f"{IN}::test_a_webhook_call_without_the_secret_is_refused",
      f"{IN}::test_a_malformed_webhook_call_is_refused"]),
    ("Changes, deletions and reactions of the customer, with what was said before",
     [f"{CORE_IN}::test_an_edit_keeps_what_was_said_before",
      "dialogs/test_acts.py::test_what_the_customer_deletes_is_marked_and_kept",
      "dialogs/test_acts.py::test_reactions_of_ours_and_of_the_customer"]),
    ("Files: every declared kind, several at once, too large, gone; the text never waits for them",
     [f"{OUT}::test_every_declared_kind_of_file_arrives",
      f"{OUT}::test_text_and_several_files_are_one_message_of_ours",
      f"{OUT}::test_files_are_fetched_within_the_limit"]),
    ("Sending: success, flood limits, blocked, refused for good, an answer that is lost",
     [f"{OUT}::test_a_text_arrives_as_it_was_written", f"{OUT}::test_a_refusal_says_what_to_do_next",
      f"{OUT}::test_a_lost_answer_is_an_unknown_outcome"]),
    ("A crash between sending and writing it down: one copy, or said to be unknown",
     [f"{KILLED}::test_what_leaves_leaves_once",
      f"{CORE_OUT}::test_a_doubt_is_repeated_only_where_that_is_harmless"]),
    ("A pause that the platform asks for stops this channel alone",
     [f"{CORE_OUT}::test_a_flood_limit_freezes_the_channel_and_costs_no_attempt"]),
    ("Any text: emoji and entities in UTF-16, old charsets, right to left, NUL, long texts split",
     [f"{OUT}::test_a_long_text_is_split_where_nothing_breaks",
      f"{OUT}::test_what_platforms_refuse_in_a_text_is_left_out",
      "dialogs/test_thread.py::test_any_text_arrives"]),
    ("One-time links bring a known customer, a used one does nothing",
     [f"{OUT}::test_a_deep_link_brings_its_token"]),
    ("Understanding is pure: the same bytes mean the same",
     [f"{IN}::test_parse_is_pure", f"{IN}::test_recorded_events_mean_what_they_meant"]),
    ("No secret in a log, an error or a repr", [f"{OUT}::test_secrets_stay_secret"]),
    ("What is declared works, what is not is refused clearly",
     [f"{OUT}::test_an_adapter_is_what_the_contract_says", f"{OUT}::test_what_a_channel_cannot_do_it_says",
      f"{OUT}::test_what_is_not_declared_goes_as_a_document"]),
]  # fmt: skip

EXEMPT: dict[tuple[int, str], str] = {
    (2, "webchat"): "nothing is pulled: the visitor's page keeps a message until our answer, and repeats it with its key",
    (2, "api"): "nothing is pulled: the caller repeats with its key until our answer",
    (6, "webchat"): "the visitor's page asks for what it missed by its own cursor",
    (6, "api"): "nothing is pulled",
    (7, "webchat"): "nothing is pulled",
    (7, "api"): "nothing is pulled",
    (8, "webchat"): "there is no remote platform",
    (9, "webchat"): "there is no remote platform",
    (10, "email"): "mailboxes have no webhook",
    (10, "webchat"): "visitors come with tokens of ours, tested in tests/widget",
    (10, "api"): "callers come with API tokens of ours, tested in tests/api",
    (11, "email"): "a mail is never changed or taken back",
    (11, "webchat"): "visitors cannot change or take back what they wrote",
    (11, "api"): "callers cannot change or take back what they posted",
    (17, "email"): "addresses prove themselves; there are no links",
    (17, "api"): "the caller names its customers itself",
}  # fmt: skip
"""Number of the point (from 1) and channel, and why it does not apply."""

_NEEDS = re.compile(r"@pytest\.mark\.(needs|faults)\((.*?)\)")


def applies(test: str, kit: type[Kit]) -> bool:
    """Whether a test of the contract suite runs over the kit; tests of the core hold for all."""
    path, _, name = test.partition("::")
    text = (ROOT / "tests" / path).read_text("utf-8")
    before = re.search(rf"((?:^@[^\n]*\n)*)^(?:async )?def {name}\b", text, re.MULTILINE)
    assert before, f"{test} does not exist"
    words = [word for _, words in _NEEDS.findall(before[1]) for word in re.findall(r'"(\w+)"', words)]
    return all(getattr(kit, word) for word in words)


def cell(number: int, tests: Sequence[str], kit: type[Kit]) -> str:
    """`yes`; `part` where some of the contract tests do not apply; or the number of the reason."""
    if (number, kit.kind) in EXEMPT:
        return f"[{_reasons().index(EXEMPT[number, kit.kind]) + 1}]"
    passed = [applies(test, kit) for test in tests]
    assert any(passed), f"point {number} is neither tested for {kit.kind} nor exempt"
    return "yes" if all(passed) else "part"


def _reasons() -> list[str]:
    return list(dict.fromkeys(EXEMPT.values()))


def page() -> str:
    """docs/channels.md."""
    known = sorted((kit for kit in kits() if kit.kind in NAMES), key=lambda kit: list(NAMES).index(kit.kind))
    head = "| | " + " | ".join(NAMES[kit.kind] for kit in known) + " |"
    rule = "|---|" + "---|" * len(known)
    points = [
        f"| {number}. {title} | " + " | ".join(cell(number, tests, kit) for kit in known) + " |"
        for number, (title, tests) in enumerate(POINTS, 1)
    ]
    able = {kit.kind: registry.load(kit.kind).capabilities for kit in known}
    rows = [
        f"| {title} | " + " | ".join(said(able[kit.kind]) for kit in known) + " |"
        for title, said in _ABLE.items()
    ]
    return _FRAME.format(
        capabilities="\n".join([head, rule, *rows]),
        points="\n".join([head, rule, *points]),
        reasons="\n".join(f"{number}. {reason}" for number, reason in enumerate(_reasons(), 1)),
    )


def _words(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "–"


def _yes(value: object) -> str:
    return "yes" if value else "–"


def _hours(can: Capabilities, kind: str) -> str:
    within = can.edit_within if kind == "edit" else can.delete_within
    if kind not in can.acts:
        return "–"
    return f"{int(within.total_seconds() // 3600)} h" if within else "yes"


_ABLE = {
    "Messages come by": lambda can: _words(can.inbound),
    "Longest text sent at once, characters": lambda can: f"{can.max_text:,}",
    "Files that can be sent": lambda can: _words(can.attachments),
    "Largest file sent, MB": lambda can: f"{can.max_file_bytes / 1e6:.0f}" if can.attachments else "–",
    "Quotes a message": lambda can: _yes(can.reply),
    "Changes a sent message": lambda can: _hours(can, "edit"),
    "Takes a sent message back": lambda can: _hours(can, "delete"),
    "Reacts": lambda can: _yes("react" in can.acts),
    "Tells the customer that it was read": lambda can: _yes("read" in can.acts),
    "Buttons below a message": lambda can: str(can.max_buttons or "–"),
    "Shows that an agent types": lambda can: _yes(can.typing),
    "Tells of the customer": lambda can: _words(can.tells),
    "We may write first": lambda can: _yes(can.can_initiate),
    "Best mark of delivery": lambda can: can.delivery,
    "A repeated send is one message": lambda can: _yes(can.deduplicates),
    "One-time links": lambda can: _yes(can.deep_link),
}

_FRAME = """# Channels

What each channel can do, and what each has been tested for. This page is generated from what the adapters declare and from the contract
suite (`python -m tests.channels.contract.points`), and a test compares. How to add one: [in English](guide/new-channel.en.md), [in
Russian](guide/new-channel.ru.md). What each platform really does is in the folders themselves: `channels/*/README.md`.

## What they can do

{capabilities}

## What they were tested for

*yes*: tests show it, those of the contract suite run over this very channel. *part*: some of them do not apply to it, as it has no remote
platform or no such call. A number: exempt, for the reason below.

{points}

Exempt because:

{reasons}
"""

if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
