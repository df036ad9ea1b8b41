"""The websocket protocol of the web server: uvicorn's, with a way to send a frame that was built once.

A fact goes to hundreds of consoles as the very same bytes; framing them anew for each socket is half
the work of sending. The server says in the scope that it can do this (`EXTENSION`); behind another one
the same messages go out by plain ASGI.
"""

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "otklik.frames"


class FrameProtocol(WebSocketsSansIOProtocol):
    """Offers its application `scope["extensions"][EXTENSION]["write"]`."""

    async def run_asgi(self) -> None:
        extensions = self.scope["extensions"]
        assert extensions is not None
        extensions[EXTENSION] = {"write": self.write_frame}
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole unmasked frame, unless the socket is congested; raises when it is gone."""
        if self.disconnected or self.close_sent or not self.handshake_complete:
            raise ClientDisconnected
        if not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True
