"""The contract of a channel: what an adapter declares, parses, sends, and how it fails.

An adapter sits below the domain. It knows no database, no HTTP framework and no other adapter.
It never sleeps to retry, never keeps a message for later: it says what happened, the core decides.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr

from channels.acts import Act, ActKind, Button

Kind = Literal["image", "video", "audio", "voice", "document", "sticker"]


# --- failures -------------------------------------------------------------------------------


class DeliveryError(Exception):
    """A call to the platform failed. The class says what to do next, `reason` says why.

    `reason` is one sentence that may be shown to agents; it must hold no secret.
    `code` is a short stable word (`blocked`, `flood`, `too_long`, …) for translation.
    """

    def __init__(self, reason: str, *, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or type(self).__name__.lower()


class RetryLater(DeliveryError):
    """Nothing happened; try again, not sooner than `after`. Connect errors, 429, 5xx before effect."""

    def __init__(
        self, reason: str, *, after: timedelta | None = None, code: str = "retry", lane: bool = False
    ) -> None:
        super().__init__(reason, code=code)
        self.after = after
        self.pauses: Sequence[timedelta] = ()  # after the first attempt, the second …; the last for all later
        self.lane = lane
        """True when the whole channel has to pause, not only this message (flood limits)."""


class Rejected(DeliveryError):
    """The platform will never take this message. `unreachable`: nor any other for this person."""

    def __init__(self, reason: str, *, code: str = "rejected", unreachable: bool = False) -> None:
        super().__init__(reason, code=code)
        self.unreachable = unreachable


class Unauthorized(DeliveryError):
    """The credentials are wrong or revoked: the channel stops until somebody changes them."""


class OutcomeUnknown(DeliveryError):
    """The platform may have taken the message; only a channel that deduplicates may repeat it."""


class BadEvent(Exception):
    """A raw event cannot be understood; it is quarantined with this reason."""


class Gone(Exception):
    """A file cannot be fetched any more, or never could be (expired, too large for the platform)."""


# --- what an adapter is and can do ----------------------------------------------------------


class Capabilities(BaseModel, frozen=True):
    """What a channel can do. The console greys what it cannot."""

    inbound: frozenset[Literal["poll", "webhook", "push"]]
    """`push`: customers or services speak with our own server (site chat, API channel)."""
    max_text: int
    """Longest text of one message, in characters."""
    attachments: frozenset[Kind] = frozenset()
    """Kinds that can be sent; what is missing here is sent as `document` if that is there."""
    max_attachments: int = 0
    max_file_bytes: int = 0
    reply: bool = False
    """Outgoing messages can quote an earlier one."""
    typing: bool = False
    can_initiate: bool = False
    """May write to a customer who never wrote on this channel."""
    delivery: Literal["sent", "delivered", "read"] = "sent"
    """The best status the platform ever reports."""
    deduplicates: bool = False
    """The platform drops a repeat of the same key: an unknown outcome may be repeated."""
    copies: bool = False
    """A message may go to others too and has a subject (mail): `OutgoingMessage.meta["mail"]`."""
    deep_link: bool = False
    """Can bring a one-time token with which a known customer joins (`account.link`)."""
    acts: frozenset[ActKind] = frozenset()
    """What can be done beside sending, by `act`."""
    edit_within: timedelta | None = None
    """How long after its sending a message can be changed; None: for ever."""
    delete_within: timedelta | None = None
    """How long after its sending a message can be taken back; None: for ever."""
    emojis: tuple[str, ...] = ()
    """With `react`: what we can react with."""
    max_buttons: int = 0
    """Buttons below a message."""
    tells: frozenset[Literal["edits", "deletions", "reactions", "typing"]] = frozenset()
    """What the platform tells of the customer, beside his messages."""


class Http(BaseModel):
    """How an adapter reaches its platform; part of every adapter's settings."""

    base_url: str = Field("", description="Another address of the platform's API; empty: the usual one.")
    ca_bundle: str = Field("", description="PEM file with certificates to trust instead of the usual ones.")
    proxy: str = Field("", description="http://, https:// or socks5:// proxy for this channel.")
    timeout: float = Field(30, gt=0, le=300, description="Seconds a call may take.")


class AdapterSettings(BaseModel, extra="forbid"):
    """Base of every adapter's settings. Fields of type `SecretStr` are stored encrypted."""

    http: Http = Field(default_factory=Http)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Account:
    """What an adapter is given: one connected account of its platform."""

    id: UUID
    name: str
    settings: AdapterSettings
    webhook_url: str = field(repr=False)
    """Our public address for this account's webhook; holds an unguessable key."""
    webhook_secret: str = field(repr=False)
    """What the platform shall send back to prove itself; per channel, random."""


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What a successful check learned: shown to the admin, merged into the stored settings."""

    title: str
    """Name of the bot, community or mailbox, as `@shop_bot`."""
    external_id: str
    """The platform's id of the account; one account cannot be connected twice."""
    facts: Mapping[str, Any] = field(default_factory=dict)


# --- inbound: transport ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawEvent:
    """What a transport stores before anybody tries to understand it."""

    key: str
    """The platform's id of the event, unique per channel: update_id, event_id, uidvalidity:uid."""
    payload: bytes
    lane: str = ""
    """Events of one lane are understood in order (a chat); empty: in no order. Never raises."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events and the cursor to store with them, in one transaction, before the next pull."""

    events: list[RawEvent]
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook call without its framework. Header names are lower-case."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """How to answer, and what to store before answering."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    events: list[RawEvent] = field(default_factory=list)


# --- inbound: meaning -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sender:
    """A person on a platform. `scope` and `external_id` identify; the rest is what is known now."""

    scope: str
    """`telegram`, `vk`, `email`: one person over all accounts; `""`: known to this channel only."""
    external_id: str
    name: str = ""
    username: str = ""
    phone: str = ""
    """Only when the platform vouches for it."""
    email: str = ""
    locale: str = ""
    avatar: dict[str, Any] | None = None
    """Reference for `fetch`."""


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as the platform names it; `ref` is what `fetch` needs. Fetched afterwards."""

    kind: Kind
    ref: dict[str, Any]
    name: str = ""
    mime: str = ""
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    """Seconds."""
    content_id: str = ""
    """Mail: inline pictures are referenced by it from the HTML."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A customer's message, as he meant it."""

    chat: str
    """The platform's conversation, where an answer goes to: chat id, peer id, mail thread."""
    external_id: str
    """Unique within (channel, chat)."""
    sender: Sender
    text: str = ""
    html: str = ""
    """Already sanitised; mail only."""
    files: list[File] = field(default_factory=list)
    reply_to: str = ""
    """External id of the quoted message in the same chat."""
    occurred_at: datetime | None = None
    link_token: str = ""
    """One-time token of a deep link; a message with a token and no text is not shown."""
    aliases: list[str] = field(default_factory=list)
    """Other ids under which later messages may refer to it (Message-ID)."""
    references: list[str] = field(default_factory=list)
    """Aliases it refers to, newest first (In-Reply-To, References)."""
    automatic: bool = False
    """Written by a machine: stored, but neither reopens nor is answered automatically."""
    unsupported: str = ""
    """Kind of content that cannot be shown (`poll`, `story`); the raw event is kept."""
    acknowledge: str = ""
    """What the platform waits to hear of, as a pressed button: `Acknowledge.query`."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What `send` needs to answer (subject, topic id, business connection) and what is worth showing:
    `pressed` (label of a button of ours that the customer pressed)."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The customer changed a message; or somebody of ours did, in the platform's own interface."""

    chat: str
    external_id: str
    text: str
    occurred_at: datetime | None = None
    meta: dict[str, Any] | None = None
    """What took the place of the message's `meta`, key by key; None: nothing."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Messages were deleted on the platform."""

    chat: str
    external_ids: list[str]
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """The person's reactions to a message, all of them: none when he took them back."""

    chat: str
    external_id: str
    sender: Sender
    emojis: list[str]
    """As Unicode where there is one; a platform's own picture as its name in colons (`:custom:`)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """News about a message of ours."""

    chat: str
    status: Literal["delivered", "read", "failed", "noted"]
    """`noted`: the status stays as it is, `reason` is shown beside (a delay, a copy that was lost)."""
    external_id: str = ""
    """Empty with `read`: everything of ours in this chat up to `up_to`."""
    up_to: str = ""
    """Numeric external id: every message of ours in the chat with an id not above it."""
    reason: str = ""
    alias: str = ""
    """Mail: Message-ID of ours instead of chat and external id."""
    recipient: str = ""  # mail: whom the news is about; of one in copy it is a note, not a failure


@dataclass(frozen=True, slots=True)
class Reachability:
    """The person blocked or unblocked us."""

    sender: Sender
    reachable: bool


@dataclass(frozen=True, slots=True)
class Typing:
    """The person is typing; nothing is stored."""

    chat: str
    sender: Sender


@dataclass(frozen=True, slots=True)
class Linked:
    """A one-time token arrived without a message (VK `message_allow`)."""

    sender: Sender
    chat: str
    token: str


@dataclass(frozen=True, slots=True)
class Echo:
    """Somebody of ours (`author`) wrote in the platform's own interface, or our own send came back."""

    chat: str
    external_id: str
    text: str = ""
    files: list[File] = field(default_factory=list)
    recipient: Sender | None = None
    key: str = ""
    """The deduplication key (`OutgoingMessage.key`) when the platform returns it."""
    author: str = ""
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Genuine, and of no interest: nothing is stored but the raw event."""

    reason: str


Event = (
    InboundMessage | Edited | Deleted | Reaction | Receipt | Reachability | Typing | Linked | Echo | Ignored
)


# --- outbound -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to send; `read()` gives its bytes."""

    kind: Kind
    name: str
    mime: str
    size: int
    content: "Content"


class Content(Protocol):
    """Bytes that are read when needed."""

    async def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to send, all of it: text and files together."""

    key: str
    """Ours, stable over repeats: `str` of a positive 63-bit integer (order of the message)."""
    chat: str
    """Conversation of the recipient; empty when we write first (`recipient` says to whom)."""
    recipient: str
    """External id of the recipient's identity."""
    text: str = ""
    files: list[OutgoingFile] = field(default_factory=list)
    reply_to: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """`meta` of the newest inbound message of the chat (subject, references…); in `mail` what the agent
    chose for this one (`copies`): to, cc, bcc, subject, forward."""
    author: str = ""
    """Name of the agent, for channels that show one."""
    buttons: list[list[Button]] = field(default_factory=list)
    """Rows of buttons."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it."""

    external_ids: list[str]
    """All ids the platform gave, in order: text and files may be several platform messages."""
    chat: str = ""
    """Conversation that the platform made, when we wrote first."""
    aliases: list[str] = field(default_factory=list)
    status: Literal["sent", "delivered"] = "sent"
    note: str = ""
    """What went wrong beside (a copy that was refused), for agents."""


@dataclass(frozen=True, slots=True)
class Link:
    """A deep link for the customer to open."""

    url: str


def no_act() -> Rejected:
    """What `act` raises for what a channel cannot do."""
    return Rejected("This channel cannot do that.", code="unsupported")


class Adapter(Protocol):
    """One connected account of a platform.

    Constructed from an `Account`; opens connections lazily; `close()` ends them. Every call has a
    time-out. All methods but `lane`, `parse` and `link` are asynchronous and raise only
    `DeliveryError`s (`fetch` also `Gone`, `parse` `BadEvent`).
    """

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[AdapterSettings]]

    def __init__(self, account: Account) -> None: ...

    async def check(self) -> AccountInfo:
        """Make a real call with the credentials; raises `Unauthorized`, `Rejected` or `RetryLater`."""
        ...

    async def start(self) -> None:
        """Prepare the transport when the channel is activated: set or remove the webhook."""
        ...

    def pull(self, cursor: dict[str, Any]) -> AsyncIterator[Batch]:
        """Yield batches for ever, starting after `cursor`. Poll transport only.

        Never pulled: `{"since": …}`, the Unix time at which the channel was connected; what was written
        before is of no interest.

        The caller stores a batch before it asks for the next one; only then may the adapter confirm
        it to the platform. An empty batch says "alive". Ends when the transport is not poll.
        """
        ...

    def webhook(self, request: WebhookRequest) -> WebhookReply:
        """Verify a call (constant time) and say what to store and what to answer. Pure.

        A wrong secret is answered 403 without events; a malformed body 400 without events.
        """
        ...

    def parse(self, payload: bytes) -> list[Event]:
        """Understand a stored event. Pure and repeatable; raises `BadEvent`."""
        ...

    async def send(self, message: OutgoingMessage) -> Sent:
        """Send one message."""
        ...

    async def act(self, act: Act) -> None:
        """Do what `capabilities.acts` has. Done twice it is done once: what is so already is success."""
        ...

    async def fetch(self, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
        """Bytes and MIME type of a file or avatar, at most `limit` bytes; raises `Gone`."""
        ...

    async def profile(self, external_id: str) -> Sender | None:
        """Name and avatar of a person when events do not bring them (VK); None: nothing to learn."""
        ...

    async def typing(self, chat: str) -> None:
        """Show that an agent is typing; does nothing where the platform has it not."""
        ...

    def link(self, token: str, info: Mapping[str, Any]) -> Link | None:
        """Deep link that brings `token` back; `info` is `AccountInfo.facts` as stored."""
        ...

    async def close(self) -> None: ...


def secret_fields(settings: type[AdapterSettings]) -> list[str]:
    """Names of the fields of `settings` that are secrets."""
    return [
        name
        for name, info in settings.model_fields.items()
        if info.annotation is SecretStr or info.annotation == SecretStr | None
    ]
