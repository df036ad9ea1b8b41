"""Who may be the same person: by phone, mail, user name and name. Only ever suggested.

Each question is answered by an index of its own. A name or user name that many have says nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import phonenumbers
from sqlalchemy import exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts
from dialogs import access, queries
from dialogs.customer_schemas import Suggestion, SuggestionReason
from dialogs.identity_models import Strangers
from dialogs.listing import PHONE_END
from dialogs.models import Customer, Dialog
from dialogs.schemas import CustomerRef

MOST = 10
COMMON = 20
"""So many others with the same: it tells nobody apart."""
_SAME_NUMBER = (phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH)
_RANKS = ("high", "medium", "low")

_ALIKE = text(f"""
with family as (
    select c.* from customers c where c.id = :id or c.merged_into_id = :id
), own as (
    select i.* from identities i where i.customer_id = :id
)
select 'phone' as kind, f.phone as mine, c.phone as theirs, coalesce(c.merged_into_id, c.id) as id
from family f cross join lateral (
    select * from customers c
    where c.phone <> '' and {PHONE_END.replace("phone", "c.phone")} = {PHONE_END.replace("phone", "f.phone")}
    limit :most) c
where f.phone <> ''
union all
select 'email', a.address, a.address, coalesce(c.merged_into_id, c.id)
from (select lower(f.email) as address from family f where f.email <> ''
      union select lower(o.external_id) from own o where o.scope = 'email') a
cross join lateral (
    select * from customers c where c.email <> '' and lower(c.email) = a.address limit :most) c
union all
select 'email', lower(f.email), lower(f.email), i.customer_id
from family f join identities i on i.scope = 'email' and i.external_id = lower(f.email)
where f.email <> ''
union all
select 'username', o.username, i.username, i.customer_id
from own o cross join lateral (
    select * from identities i where i.username <> '' and lower(i.username) = lower(o.username) limit :most) i
where o.username <> ''
union all
select 'name', f.name, c.name, coalesce(c.merged_into_id, c.id)
from family f cross join lateral (
    select * from customers c where c.name like '% %' and lower(c.name) = lower(f.name) limit :most) c
where f.name like '% %'
""")  # noqa: S608 - constants only


@dataclass(slots=True)
class _Found:
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def confidence(self) -> Literal["high", "medium", "low"]:
        """A phone or an address names one person, a user name with the same name most likely."""
        if self.reasons.keys() & {"phone", "email"}:
            return "high"
        return "medium" if len(self.reasons) > 1 else "low"


async def of(session: AsyncSession, viewer: Viewer, customer_id: UUID) -> list[Suggestion]:
    """Who may be the same person as the customer, of those whom the viewer sees; surest first."""
    await access.newest_visible(session, viewer, customer_id)
    rows = list(await session.execute(_ALIKE, {"id": customer_id, "most": COMMON + 1}))
    found: dict[UUID, _Found] = {}
    for row in rows:
        if row.id != customer_id and _says_something(row, rows):
            found.setdefault(row.id, _Found()).reasons.setdefault(row.kind, row.theirs)
    shown = await _shown(session, viewer, customer_id, found)
    suggestions = [
        Suggestion(
            customer=ref,
            confidence=found[ref.id].confidence,
            reasons=[
                SuggestionReason(kind=kind, value=value)  # type: ignore[arg-type]
                for kind, value in found[ref.id].reasons.items()
            ],
        )
        for ref in shown
    ]
    return sorted(suggestions, key=lambda one: _RANKS.index(one.confidence))[:MOST]


def _says_something(row: Any, rows: list[Any]) -> bool:
    if row.kind == "phone":
        return bool(phonenumbers.is_number_match(row.mine, row.theirs) in _SAME_NUMBER)
    if row.kind == "email":
        return True
    alike = [other for other in rows if other.kind == row.kind and other.mine == row.mine]
    return len(alike) <= COMMON


async def _shown(
    session: AsyncSession, viewer: Viewer, customer_id: UUID, found: dict[UUID, _Found]
) -> list[CustomerRef]:
    """Those of the found whom the viewer sees and of whom nobody said that they are another."""
    if not found:
        return []
    one, other = func.least(Customer.id, customer_id), func.greatest(Customer.id, customer_id)
    rows = await session.scalars(
        select(Customer).where(
            Customer.id.in_(found),
            exists().where(Dialog.customer_id == Customer.id, access.visible(viewer)),
            ~exists().where(Strangers.one_id == one, Strangers.other_id == other),
        )
    )
    return [
        CustomerRef(id=row.id, name=row.name, avatar_url=queries.avatar_url(row.id, row.avatar_key))
        for row in rows
    ]


async def dismiss(session: AsyncSession, viewer: Viewer, customer_id: UUID, other_id: UUID) -> None:
    """The two are not the same person, says somebody who sees both."""
    for id in (customer_id, other_id):
        await access.newest_visible(session, viewer, id)
    one, other = sorted((customer_id, other_id))
    values = {"one_id": one, "other_id": other, "created_by": viewer.agent_id}
    await session.execute(insert(Strangers).values(**values).on_conflict_do_nothing())
    for id in (customer_id, other_id):
        data = {"fields": ["suggestions"]}
        await facts.record(session, "customer.changed", actor=viewer.actor, customer_id=id, data=data)
