"""What is known of a customer and of those merged into him: his own value first, theirs where he has none.

What he does not show of theirs is not lost: it stays with them, and is told with whose it is.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from dialogs.customer_schemas import AlsoOut
from dialogs.identity_models import Merge
from dialogs.models import Customer

NAMES = ("name", "phone", "email", "about", "locale", "avatar_key")
SHOWN = ("name", "phone", "email", "about")


async def borrow(session: AsyncSession, customer_id: UUID) -> None:
    """Bring a customer's fields, and those of whom he is merged into, up to date with their merges."""
    at: UUID | None = customer_id
    while at is not None:
        await _borrow(session, at)
        at = await session.scalar(
            select(Merge.kept_id).where(Merge.merged_id == at, Merge.undone_at.is_(None))
        )


async def _borrow(session: AsyncSession, customer_id: UUID) -> None:
    customer = await session.get_one(Customer, customer_id)
    lenders = list(
        await session.scalars(
            select(Customer)
            .join(Merge, Merge.merged_id == Customer.id)
            .where(Merge.kept_id == customer_id, Merge.undone_at.is_(None))
            .order_by(Merge.created_at, Merge.id)
        )
    )
    borrowed: dict[str, Any] = {}
    for name in NAMES:
        value = getattr(customer, name)
        if value and customer.borrowed.get(name) != value:
            continue  # his own
        lent = next((found for lender in lenders if (found := getattr(lender, name))), None)
        setattr(customer, name, lent or (None if name == "avatar_key" else ""))
        if lent:
            borrowed[name] = lent
    customer.borrowed = borrowed
    await session.flush()


async def also(session: AsyncSession, customer: Customer) -> list[AlsoOut]:
    """Values of merged customers that the customer does not show."""
    merged = await session.scalars(
        select(Customer).where(Customer.merged_into_id == customer.id).order_by(Customer.created_at)
    )
    found: dict[tuple[str, str], AlsoOut] = {}
    for row in merged:
        for name in SHOWN:
            value = getattr(row, name)
            if value and value != getattr(customer, name):
                told = AlsoOut.model_construct(
                    field=name, value=value, customer_id=row.id, customer_name=row.name
                )
                found.setdefault((name, value), told)
    return list(found.values())


def conflicts(kept: Customer, merged: Customer) -> list[tuple[str, str, str]]:
    """Fields that say different things: name, the kept one's value, the other's."""
    pairs = [(name, getattr(kept, name), getattr(merged, name)) for name in SHOWN]
    return [(name, own, other) for name, own, other in pairs if own and other and own != other]
