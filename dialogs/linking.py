"""Deep links: a one-time token proves that a person on a platform is a customer we know."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import clock, facts, secrets
from app.core.config import Settings
from channels.base import Sender
from dialogs import belonging, merging, routing
from dialogs.identity_models import LinkToken
from dialogs.models import Identity
from dialogs.store import clean

VALID = timedelta(days=7)


async def make(
    session: AsyncSession, viewer: Viewer, *, customer_id: UUID, channel_id: UUID
) -> tuple[str, LinkToken]:
    """A new token for the customer on a channel; only its hash is kept."""
    token = secrets.random_token()[:40]
    row = LinkToken(
        token_hash=secrets.hash_token(token),
        customer_id=customer_id,
        channel_id=channel_id,
        created_by=viewer.agent_id,
        expires_at=clock.now() + VALID,
    )
    session.add(row)
    await session.flush()
    return token, row


async def link(
    session: AsyncSession, token: str, *, sender: Sender, channel_id: UUID, settings: Settings
) -> bool:
    """A token came without a message."""
    route = await routing.route(session, channel_id, settings)
    found = await redeem(session, token, sender=sender, channel_id=channel_id, kind=route.kind)
    return found is not None


async def redeem(
    session: AsyncSession, token: str, *, sender: Sender, channel_id: UUID, kind: str
) -> UUID | None:
    """Use a token up: the sender's identity belongs to the token's customer now.

    Returns the customer, or None when the token is unknown, used, too old or of another channel.
    """
    customer_id: UUID | None = await session.scalar(
        update(LinkToken)
        .where(
            LinkToken.token_hash == secrets.hash_token(token),
            LinkToken.channel_id == channel_id,
            LinkToken.used_at.is_(None),
            LinkToken.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(LinkToken.customer_id)
    )
    if customer_id is None:
        return None
    await attach(session, customer_id, sender=sender, kind=kind, channel_id=channel_id)
    return customer_id


async def attach(
    session: AsyncSession,
    customer_id: UUID,
    *,
    sender: Sender,
    kind: str,
    channel_id: UUID | None,
    actor: facts.Actor = facts.SYSTEM,
) -> Identity:
    """The identity, belonging to the customer; whom it belonged to is merged into him (`merging`)."""
    scope = sender.scope or str(channel_id)
    before = await _owner(session, scope, sender)
    if before is not None:
        customer_id = await belonging.root(session, customer_id)
        if before != customer_id:
            await merging.prove(session, kept=customer_id, merged=before, actor=actor)
    customer_id = await belonging.hold(session, customer_id)
    identity = await _identity(session, customer_id, scope=scope, sender=sender, kind=kind)
    await facts.record(
        session,
        "identity.added",
        actor=actor,
        customer_id=customer_id,
        channel_id=channel_id,
        data={"identity_id": str(identity.id), "from_customer_id": str(before or customer_id)},
    )
    return identity


async def _owner(session: AsyncSession, scope: str, sender: Sender) -> UUID | None:
    found: UUID | None = await session.scalar(
        select(Identity.customer_id).where(
            Identity.scope == scope, Identity.external_id == clean(sender.external_id)
        )
    )
    return found


async def _identity(
    session: AsyncSession, customer_id: UUID, *, scope: str, sender: Sender, kind: str
) -> Identity:
    """The identity, locked; made for the customer when nobody has it."""
    await session.execute(
        insert(Identity)
        .values(
            customer_id=customer_id,
            scope=scope,
            external_id=clean(sender.external_id),
            kind=kind,
            name=clean(sender.name)[:300],
            username=clean(sender.username)[:300],
        )
        .on_conflict_do_nothing()
    )
    query = select(Identity).where(Identity.scope == scope, Identity.external_id == clean(sender.external_id))
    return (await session.scalars(query.with_for_update())).one()
