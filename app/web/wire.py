"""The websocket protocol of the web server: uvicorn's, with a way to send a frame that was built once.

A fact goes to hundreds of consoles as the very same bytes; framing them anew for each socket is half
the work of sending. The server says in the scope that it can do this (`EXTENSION`); behind another one
the same messages go out by plain ASGI.
"""

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "otklik.frames"
_LINGER_SECONDS = 3.0
"""For what is still to be written when a socket is closed."""


class FrameProtocol(WebSocketsSansIOProtocol):
    """Offers its application `scope["extensions"][EXTENSION]["write"]`."""

    async def run_asgi(self) -> None:
        extensions = self.scope["extensions"]
        assert extensions is not None
        extensions[EXTENSION] = {"write": self.write_frame}
        await super().run_asgi()
        self._end_soon()

    def keepalive_timeout(self) -> None:
        """The peer answers no pings."""
        super().keepalive_timeout()
        self._end_soon()

    def _end_soon(self) -> None:
        """A closed transport waits until everything is written: for ever, when nobody reads."""
        if not self.disconnected:
            self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole unmasked frame, unless the socket is congested; raises when it is gone."""
        if self.disconnected or self.close_sent or not self.handshake_complete:
            raise ClientDisconnected
        if not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True
