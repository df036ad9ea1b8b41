"""The two messengers as a story plays them: who writes, what arrived, over the faithful fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, ClassVar

from tests.e2e.desk import Desk
from tests.fakes.server import Upload
from tests.fakes.telegram import FakeTelegram
from tests.fakes.vk import FakeVk
from tests.helpers import eventually

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(60)
_numbers = count(1)


class Kept:
    """What both have in common: one customer, and what reached him."""

    fake: Any
    user = 0

    def begin_anew(self) -> None:
        """Another customer; nothing has been sent."""
        self.user = 1000 + next(_numbers)
        self.fake.sent.clear()

    def texts(self) -> list[str]:
        """What has arrived at customers."""
        return [message.text for message in self.fake.sent if message.text]

    def quotes(self) -> list[str]:
        """Ids of the messages that were quoted."""
        return [str(message.reply_to) for message in self.fake.sent if message.reply_to]


class Telegram(Kept):
    """A bot of this story alone."""

    kind: ClassVar[str] = "telegram"
    send_method: ClassVar[str] = "sendMessage"

    def __init__(self) -> None:
        number = next(_numbers)
        self.fake = FakeTelegram(token=f"{700_100 + number}:FAKE-token-of-a-story", retry_unit=0.01)

    def writes(self, text: str, user: int = 0, **fields: Any) -> str:
        """A customer's message; its id on the platform."""
        return str(self.fake.customer_writes(user_id=user or self.user, text=text, **fields)["message_id"])

    def sends(self, kind: str, content: bytes, user: int = 0) -> None:
        name, mime = ("photo", "image/png") if kind == "image" else ("voice", "audio/ogg")
        self.fake.customer_sends_file(name, content, user_id=user or self.user, mime=mime)

    def starts(self, token: str, user: int) -> None:
        """Somebody opens a deep link and presses the button."""
        command = [{"offset": 0, "length": 6, "type": "bot_command"}]
        self.fake.customer_writes(user_id=user or self.user, text=f"/start {token}", entities=command)

    def polled(self) -> bool:
        """Whether the program asks for news."""
        return any(method == "getUpdates" for method, _ in self.fake.calls)

    def files(self) -> list[Upload]:
        return [message.file for message in self.fake.sent if message.file]

    def is_busy(self) -> None:
        """Refuse the next message for a second."""
        self.fake.fail_next("flood", method=self.send_method, retry_after=1)

    def reads(self, user: int = 0) -> bool:
        """Whether the platform tells that a customer has read; here it never does."""
        return False


class Vk(Kept):
    """A community of this story alone."""

    kind: ClassVar[str] = "vk"
    send_method: ClassVar[str] = "messages.send"

    def __init__(self) -> None:
        number = next(_numbers)
        self.fake = FakeVk(token=f"vk1.a.FAKE-{number}", group_id=230_100 + number, retry_unit=0.01)

    def writes(self, text: str, user: int = 0, **fields: Any) -> str:
        return str(
            self.fake.customer_writes(user_id=user or self.user, text=text, **fields)[
                "conversation_message_id"
            ]
        )

    def sends(self, kind: str, content: bytes, user: int = 0) -> None:
        if kind == "image":
            url = self.fake.host_file(content, name="photo.png", mime="image/png")
            attachment = {"type": "photo", "photo": {"sizes": [{"url": url, "width": 1, "height": 1}]}}
        else:
            url = self.fake.host_file(content, name="voice.ogg", mime="audio/ogg")
            attachment = {"type": "audio_message", "audio_message": {"link_ogg": url, "duration": 2}}
        self.fake.customer_writes(user_id=user or self.user, attachments=[attachment])

    def starts(self, token: str, user: int) -> None:
        self.fake.customer_writes(user_id=user or self.user, text="Начать", ref=token)

    def polled(self) -> bool:
        return any(method == "groups.getLongPollServer" for method, _ in self.fake.calls)

    def files(self) -> list[Upload]:
        return [upload for message in self.fake.sent for upload in message.files]

    def is_busy(self) -> None:
        self.fake.fail_next("busy", method=self.send_method, code=6)

    def reads(self, user: int = 0) -> bool:
        self.fake.customer_reads(user or self.user)
        return True


Platform = Telegram | Vk
PLATFORMS: dict[str, type[Platform]] = {"telegram": Telegram, "vk": Vk}


@asynccontextmanager
async def connected(desk: Desk, kind: str, transport: str) -> AsyncIterator[tuple[Platform, str]]:
    """The platform, running and connected; and the channel. Paused afterwards, so that nobody calls it."""
    platform = PLATFORMS[kind]()
    platform.begin_anew()
    async with platform.fake as fake:
        settings = {
            "token": fake.token,
            "transport": transport,
            "http": {"base_url": fake.url, "timeout": 20},
        }
        channel = await desk.call(
            "POST", "/channels", kind=kind, name=f"{kind} {transport}", settings=settings
        )
        try:
            if transport == "poll":  # from here on nothing is missed
                await eventually(platform.polled, 25)
            yield platform, channel["id"]
        finally:
            await desk.call("POST", f"/channels/{channel['id']}/pause")
