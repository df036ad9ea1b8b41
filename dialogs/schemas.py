"""What the API and the feed say about customers, dialogs and messages."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.core.paging import Page
from app.core.text import LongText, ShortText
from channels.acts import ActKind, Button

DialogStatus = Literal["open", "snoozed", "closed"]
MessageStatus = Literal["queued", "sending", "sent", "delivered", "read", "failed", "unknown", "cancelled"]


class CustomerRef(BaseModel):
    """A customer as a list shows him."""

    id: UUID
    name: str
    avatar_url: str | None = None


class CustomerOut(CustomerRef):
    phone: str
    email: str
    about: str
    locale: str
    created_at: datetime


class IdentityChannel(BaseModel):
    channel_id: UUID
    last_at: datetime


class IdentityOut(BaseModel):
    """A person on a platform, and the channels by which he wrote."""

    id: UUID
    kind: str
    external_id: str
    name: str
    username: str
    reachable: bool
    channels: list[IdentityChannel] = []


class DialogOut(BaseModel):
    id: UUID
    number: int
    status: DialogStatus
    customer: CustomerRef
    channel_id: UUID
    assignee_id: UUID | None
    team_id: UUID | None
    snoozed_until: datetime | None
    waiting_since: datetime | None = Field(description="First message of the customer nobody answered.")
    first_response_at: datetime | None
    last_message_at: datetime
    last_direction: Literal["in", "out", "note", "system"]
    last_author_id: UUID | None
    preview: str
    inbound_count: int
    created_at: datetime
    closed_at: datetime | None
    task_count: int = Field(description="Unfinished tasks linked to the dialog.")
    next_deadline_at: datetime | None


class DialogRow(DialogOut):
    """A dialog as its reader sees it."""

    unread: int = Field(description="Inbound messages the caller has not read.")


class AttachmentOut(BaseModel):
    id: UUID
    kind: Literal["image", "video", "audio", "voice", "document", "sticker"]
    name: str
    mime: str
    size: int | None
    width: int | None
    height: int | None
    duration: float | None = Field(description="Seconds.")
    content_id: str
    state: Literal["pending", "stored", "unavailable"]
    error: str | None
    url: str | None = Field(description="Where the bytes are, once stored.")


class ReplyRef(BaseModel):
    id: UUID
    text: str
    direction: Literal["in", "out", "note", "system"]


class ReactionOut(BaseModel):
    """Somebody's reaction. All of us are one person to the platform: ours is that of who reacted last."""

    emoji: str = Field(description="`:name:` where the platform shows a picture of its own.")
    by: Literal["customer", "agent"]
    id: UUID | None = Field(description="Contact or agent.")


class ActOut(BaseModel):
    """What was asked of the platform and is not done: it waits, or was refused."""

    kind: ActKind
    state: Literal["queued", "failed"]
    text: str | None = Field(None, description="Of an edit.")
    emoji: str | None = Field(None, description="Of a reaction; empty: none any more.")
    error: str | None
    error_code: str | None


class VersionOut(BaseModel):
    """What a message said until `replaced_at`."""

    text: str
    replaced_at: datetime


class MessageOut(BaseModel):
    """An entry of the thread, ordered by `seq`."""

    id: UUID
    seq: int
    dialog_id: UUID
    customer_id: UUID
    direction: Literal["in", "out", "note", "system"]
    channel_id: UUID | None
    identity_id: UUID | None
    text: str
    html: str | None
    author_id: UUID | None
    reply_to: ReplyRef | None
    attachments: list[AttachmentOut] = []
    created_at: datetime
    occurred_at: datetime | None
    edited_at: datetime | None
    deleted_at: datetime | None = Field(description="On the platform; here it stays.")
    reactions: list[ReactionOut]
    acts: list[ActOut] = []
    status: MessageStatus | None
    error: str | None
    error_code: str | None = Field(
        description="Why it failed or waits; `channel_paused` while a queued message's channel is not active."
    )
    client_key: str | None
    send_after: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    meta: dict[str, Any] = Field(
        description="`note`: what went wrong beside the sending, as a refused copy. `trace`: the request "
        "that brought it, by which the log names it. `buttons`: rows of buttons below it. `pressed`: label "
        "of the button that the customer pressed. "
        "Mail: `subject`, `from`, `to`, `cc`; of an answer `mail`: "
        "what the agent chose."
    )


class Thread(BaseModel):
    """A part of a customer's thread, oldest first."""

    items: list[MessageOut]
    has_more: bool = Field(description="There is more beyond this part, in the direction that was asked for.")


# --- requests -------------------------------------------------------------------------------


class CustomerChange(BaseModel, extra="forbid"):
    name: ShortText | None = None
    phone: ShortText | None = None
    email: ShortText | None = None
    about: LongText | None = None


class DialogStart(BaseModel, extra="forbid"):
    """Write to a customer first: his open dialog is taken, or a new one opened."""

    customer_id: UUID
    channel_id: UUID
    identity_id: UUID


class Assignment(BaseModel, extra="forbid"):
    """Left out: unchanged. `null`: nobody."""

    assignee_id: UUID | None = None
    team_id: UUID | None = None


class Snooze(BaseModel, extra="forbid"):
    until: datetime | None = Field(None, description="Null: until the customer writes.")


class ReadMark(BaseModel, extra="forbid"):
    inbound_count: int = Field(ge=0, description="`inbound_count` of the dialog as it was shown.")


Email = Annotated[str, StringConstraints(max_length=320, pattern=r'^[^\s<>,;:"@\\]+@[^\s<>,;:"@\\]+$')]


class MailNew(BaseModel, extra="forbid"):
    """To whom else a mail goes, and under which subject; only for channels with `capabilities.copies`."""

    to: list[Email] = Field(default_factory=list, max_length=50, description="Empty: the customer.")
    cc: list[Email] | None = Field(
        None, max_length=50, description="Left out: by the channel's setting `answer_all`."
    )
    bcc: list[Email] = Field(default_factory=list, max_length=50)
    subject: Annotated[str, StringConstraints(max_length=300)] = Field("", description="Empty: as before.")
    forward: bool = Field(
        False, description="Pass on `reply_to_id` with its files to `to`: a mail of its own, no answer."
    )


class MessageNew(BaseModel, extra="forbid"):
    client_key: str = Field(
        min_length=8, max_length=100, description="Made by the client; the same key never makes two messages."
    )
    direction: Literal["out", "note"] = "out"
    text: LongText = ""
    attachment_ids: list[UUID] = Field(default_factory=list, max_length=20)
    channel_id: UUID | None = None
    identity_id: UUID | None = None
    reply_to_id: UUID | None = None
    buttons: list[list[Button]] = Field(
        default_factory=list, max_length=20, description="Rows of buttons below the message."
    )
    send_after: datetime | None = Field(None, description="Send later.")
    seen_seq: int | None = Field(
        None, description="Newest `seq` on the screen: refused when the customer has written since."
    )
    mail: MailNew | None = None


class MessageChange(BaseModel, extra="forbid"):
    text: LongText


class ReactionNew(BaseModel, extra="forbid"):
    emoji: Annotated[str, Field(max_length=50)] = Field(description="Empty: none any more.")


class LinkNew(BaseModel, extra="forbid"):
    channel_id: UUID


class LinkOut(BaseModel):
    url: str
    expires_at: datetime


class ContactNew(BaseModel, extra="forbid"):
    """A contact that an agent knows to be the customer's."""

    kind: Literal["email", "telegram", "vk"]
    external_id: ShortText = Field(min_length=1, examples=["anna@example.org"])


class FragmentPart(BaseModel):
    """A piece of a found text; `match`: it is what was looked for."""

    text: str
    match: bool


class SearchHit(BaseModel):
    """A message that was found, in short."""

    message_id: UUID
    seq: int
    direction: Literal["in", "out", "note", "system"]
    created_at: datetime
    author_id: UUID | None
    channel_id: UUID | None
    dialog_id: UUID
    dialog_number: int
    customer: CustomerRef
    fragment: list[FragmentPart] = Field(description="Plain text around the first match, in order.")


class SearchPage(Page[SearchHit]):
    """Messages that answer a query. A page may be short, even empty, and yet have a `next`."""

    nothing_asked: bool = Field(
        False,
        description="The query has nothing that could be found: common words (`and`), signs, `-not` alone.",
    )
