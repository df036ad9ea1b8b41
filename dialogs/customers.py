"""Customers: found, shown, changed; contacts added by hand."""

from uuid import UUID

from sqlalchemy import exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts, paging
from app.core.errors import Conflict, Invalid
from channels.base import Sender
from dialogs import access, fields, linking, merging, queries
from dialogs.customer_schemas import CustomerCard
from dialogs.models import Customer, Dialog, Identity
from dialogs.schemas import ContactNew, CustomerChange, CustomerOut

_SCOPES = {"email": "email", "telegram": "telegram", "vk": "vk"}


class ContactTaken(Conflict):
    code, title = "contact_taken", "This contact belongs to another customer already."


async def search(
    session: AsyncSession, viewer: Viewer, *, words: str, cursor: str | None, limit: int
) -> paging.Page[CustomerOut]:
    """Customers of whom the viewer may see a dialog, by name."""
    query = select(Customer).where(exists().where(Dialog.customer_id == Customer.id, access.visible(viewer)))
    if words.strip():
        query = query.where(queries.matches(words))
    if cursor is not None:
        name, id = paging.decode(cursor, length=2)
        query = query.where(tuple_(Customer.name, Customer.id) > tuple_(name, UUID(id)))
    rows = list(await session.scalars(query.order_by(Customer.name, Customer.id).limit(limit + 1)))
    following = None
    if len(rows) > limit:
        following = paging.encode([rows[limit - 1].name, str(rows[limit - 1].id)])
    return paging.Page(items=[queries.customer(row) for row in rows[:limit]], next=following)


async def card(session: AsyncSession, viewer: Viewer, customer_id: UUID) -> CustomerCard:
    """All about a customer that the viewer may see; of one who was merged, about whom he was merged into."""
    customer = await session.get(Customer, customer_id, populate_existing=True)
    if customer is not None and customer.merged_into_id is not None:
        return await card(session, viewer, customer.merged_into_id)
    newest = await access.newest_visible(session, viewer, customer_id)
    assert customer is not None, "he has a dialog"
    return CustomerCard.model_construct(
        **dict(queries.customer(customer)),
        also=await fields.also(session, customer),
        merges=await merging.history(session, customer_id),
        identities=await queries.identities(session, customer_id),
        dialogs=await queries.dialogs_of(session, customer_id, up_to=newest),
    )


async def change(session: AsyncSession, viewer: Viewer, customer_id: UUID, new: CustomerChange) -> None:
    """Change what is known of a customer; only the fields that were sent."""
    await access.newest_visible(session, viewer, customer_id)
    customer = await session.get_one(Customer, customer_id, with_for_update=True)
    fields = []
    for field in sorted(new.model_fields_set):
        value = getattr(new, field)
        if value is not None and getattr(customer, field) != value:
            setattr(customer, field, value)
            fields.append(field)
    if fields:
        await session.flush()
        await facts.record(
            session,
            "customer.changed",
            actor=viewer.actor,
            customer_id=customer_id,
            data={"fields": fields},
        )


async def add_contact(session: AsyncSession, viewer: Viewer, customer_id: UUID, new: ContactNew) -> None:
    """Write down by hand that a contact is this customer's; raises `ContactTaken`."""
    await access.newest_visible(session, viewer, customer_id)
    external_id = new.external_id.strip().lower()
    if new.kind == "email" and external_id.count("@") != 1:
        raise Invalid("`external_id` must be an e-mail address.")
    owner = await session.scalar(
        select(Identity.customer_id).where(
            Identity.scope == _SCOPES[new.kind], Identity.external_id == external_id
        )
    )
    if owner == customer_id:
        return
    if owner is not None:
        raise ContactTaken
    await linking.attach(
        session,
        customer_id,
        sender=Sender(_SCOPES[new.kind], external_id),
        kind=new.kind,
        channel_id=None,
        actor=viewer.actor,
    )
