"""How often somebody may come to the console's socket: before the database is asked who he is.

A console that reconnects as fast as it can costs the others nothing. Who is signed in is counted by his
credentials, so that an office behind one address is not; who is not, by his address.
"""

from collections import OrderedDict

from starlette.requests import HTTPConnection

from app.agents.auth import COOKIE
from app.core.buckets import MEMORY, Buckets, Rate

TOO_MANY = 4429
STRANGER = Rate(100, 5)


class Door:
    """Of one process; several multiply the limits by their number."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Sockets of one agent at a time."""
        self.caller = Rate(2 * most, most / 10)
        self.buckets = Buckets()
        self._known: OrderedDict[int, None] = OrderedDict()

    def admits(self, connection: HTTPConnection) -> bool:
        """Count somebody who comes."""
        given = _credentials(connection)
        if given not in self._known and self.buckets.wait(_address(connection), STRANGER):
            return False  # who was let in before does not suffer from strangers at his address
        return not self.buckets.take(("caller", given), self.caller) if given else True

    def welcomed(self, connection: HTTPConnection) -> None:
        """He is who he says."""
        given = _credentials(connection)
        self._known[given] = None
        self._known.move_to_end(given)
        if len(self._known) > MEMORY:
            self._known.popitem(last=False)

    def refused(self, connection: HTTPConnection) -> None:
        """He could not say who he is."""
        self._known.pop(_credentials(connection), None)
        self.buckets.take(_address(connection), STRANGER)


def _credentials(connection: HTTPConnection) -> int:
    given = connection.headers.get("authorization") or connection.cookies.get(COOKIE)
    return hash(given) if given else 0


def _address(connection: HTTPConnection) -> tuple[str, str]:
    return "address", connection.client.host if connection.client else ""
