"""What the API says about a customer's card, about merging customers and about whose a contact is."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from dialogs.schemas import CustomerOut, CustomerRef, DialogOut, IdentityOut

Name = Literal["name", "phone", "email", "about"]


class AlsoOut(BaseModel):
    """A value of a merged customer that the card does not show in its own place."""

    field: Name
    value: str
    customer_id: UUID
    customer_name: str


class MergeOut(BaseModel):
    """A merge of two customers, standing or undone."""

    id: UUID
    kept_id: UUID
    merged_id: UUID
    merged_name: str
    created_by: UUID | None = Field(description="Null: proven, by a link or a platform's word.")
    created_at: datetime
    undone_by: UUID | None
    undone_at: datetime | None


class CustomerCard(CustomerOut):
    identities: list[IdentityOut]
    dialogs: list[DialogOut]
    also: list[AlsoOut] = Field(description="What was known of merged customers, where it differs.")
    merges: list[MergeOut] = Field(description="Merges with other customers, newest first.")


class FieldConflict(BaseModel):
    field: Name
    kept: str
    merged: str


class OpenDialog(BaseModel):
    """What becomes of a dialog that is not closed."""

    id: UUID
    number: int
    customer_id: UUID
    stays_open: bool


class MergePreview(BaseModel):
    """What a merge would bring along, before it is done."""

    kept_id: UUID
    merged_id: UUID
    merged_name: str
    identities: list[str] = Field(description="Contacts that come along.")
    dialog_count: int
    message_count: int
    conflicts: list[FieldConflict]
    open_dialogs: list[OpenDialog] = Field(description="With two, the newer one stays open.")


class MergeNew(BaseModel, extra="forbid"):
    customer_id: UUID = Field(description="Who is found to be this customer, and is merged into him.")


class MergeUndone(BaseModel):
    kept_id: UUID
    merged_id: UUID


class MoveNew(BaseModel, extra="forbid"):
    customer_id: UUID | None = Field(description="Whose the contact is; null: a new customer's.")


class MovePreview(BaseModel):
    """What goes along with a contact that is given to another customer."""

    message_count: int
    dialog_count: int = Field(description="Dialogs with nobody else: they go as they are.")
    shared_dialog_count: int = Field(description="Dialogs with others too: what was said by it is taken out.")
    is_last: bool = Field(description="The customer has no other contact: everything of his goes along.")


class MoveOut(BaseModel):
    customer_id: UUID


Reason = Literal["phone", "email", "username", "name"]


class SuggestionReason(BaseModel):
    kind: Reason
    value: str


class Suggestion(BaseModel):
    """Somebody who may be the same person. Nothing is merged before an agent says so."""

    customer: CustomerRef
    confidence: Literal["high", "medium", "low"]
    reasons: list[SuggestionReason]


class Dismissal(BaseModel, extra="forbid"):
    customer_id: UUID
