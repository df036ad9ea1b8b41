"""Who a bounce is about: told by its delivery status where it has one, else by the rules of flufl.bounce,
which knows the words of two dozen mail servers.
"""

import logging
import re
from email.message import Message

from flufl.bounce import all_failures

from channels.email import headers, parts
from channels.email.charsets import decode

MAX_BYTES = 300_000
MAX_RECIPIENTS = 50

_STATUS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/rfc822-headers")
_RECIPIENT = re.compile(r"(?im)^(?:original|final)-recipient:[ \t]*(?:[\w-]+;)?[ \t]*<?([^\s<>;]{3,320})")

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs each rule that it tries


def statuses(leaves: list[parts.Leaf]) -> list[parts.Leaf]:
    """Parts that say by RFC 3464 what became of a mail."""
    return [leaf for leaf in leaves if leaf.mime in _STATUS]


def recipients(message: "Message[str, str]", leaves: list[parts.Leaf]) -> list[str]:
    """Addresses that the report is about, as they were written to where it tells."""
    told = "\n".join(decode(parts.content(leaf)[:MAX_BYTES]) for leaf in statuses(leaves))
    found = [headers.normalise(address) for address in _RECIPIENT.findall(told)]
    if not any(found) and sum(len(parts.content(leaf)) for leaf in leaves) <= MAX_BYTES:
        found = [headers.normalise(address) for address in _by_words(message)]
    return [address for address in dict.fromkeys(found) if address][:MAX_RECIPIENTS]


def _by_words(message: "Message[str, str]") -> list[str]:
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # two dozen rules for broken mails; one that breaks itself finds nothing
        return []
    return sorted(address.decode("utf-8", "replace") for address in permanent | temporary)


def only_in_copy(address: str, leaves: list[parts.Leaf]) -> bool:
    """Whether the returned mail names the address in Cc and not in To."""
    for leaf in leaves:
        if leaf.mime in _RETURNED:
            head = parts.open_mail(parts.split(parts.content(leaf))[0][: parts.MAX_HEADER_BYTES] + b"\n\n")
            named = {name: [one.email for one in headers.addresses(head, name)] for name in ("to", "cc")}
            return address in named["cc"] and address not in named["to"]
    return False
