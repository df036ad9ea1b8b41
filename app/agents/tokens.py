"""API tokens: made once, kept as hashes, found on each call, revoked."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import viewer as viewers
from app.agents.models import Agent, ApiToken
from app.agents.viewer import ALL_SCOPES, Viewer
from app.core.clock import now
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.secrets import hash_token, random_token

PREFIX = "otk_"
_TOUCH_EVERY = timedelta(minutes=5)


async def create(
    session: AsyncSession,
    viewer: Viewer,
    *,
    name: str,
    scopes: list[str],
    agent_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A token for the caller, or by an administrator for another agent; the text is known only now."""
    owner = agent_id or viewer.agent_id
    if not _rules(viewer) and (owner != viewer.agent_id or {"admin", "inbound"} & set(scopes)):
        raise Forbidden("Only an administrator may make tokens for others or with `admin` or `inbound`.")
    if not set(scopes) <= viewer.scopes:
        raise Forbidden("A token cannot make another that may do more.")
    if expires_at is not None and expires_at <= now():
        raise Invalid("`expires_at` must lie in the future.", field="expires_at")
    if await session.get(Agent, owner) is None:
        raise NotFound
    return await issue(session, agent_id=owner, name=name, scopes=scopes, expires_at=expires_at)


async def issue(
    session: AsyncSession,
    *,
    agent_id: UUID,
    name: str,
    scopes: list[str],
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A token without asking who makes it: for the command line."""
    if not scopes or not set(scopes) <= ALL_SCOPES:
        raise Invalid(f"`scopes` must be some of {', '.join(sorted(ALL_SCOPES))}.", field="scopes")
    text = PREFIX + random_token()
    token = ApiToken(
        agent_id=agent_id,
        name=name,
        token_hash=hash_token(text),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    return token, text


async def find(session: AsyncSession, *, token: str) -> Viewer | None:
    """Who calls with a valid token; notes when it was used, at most every five minutes."""
    query = select(ApiToken, *viewers.PERSON).join(Agent, Agent.id == ApiToken.agent_id)
    found = (
        await session.execute(
            query.where(ApiToken.token_hash == hash_token(token), ApiToken.revoked_at.is_(None))
        )
    ).one_or_none()
    if found is None:
        return None
    row, *person = found
    if row.expires_at is not None and row.expires_at <= now():
        return None
    if row.seen_at is None or now() - row.seen_at > _TOUCH_EVERY:
        await session.execute(update(ApiToken).where(ApiToken.id == row.id).values(seen_at=now()))
    return viewers.of(*person, scopes=frozenset(row.scopes), token_id=row.id)


async def list_all(session: AsyncSession, viewer: Viewer) -> list[ApiToken]:
    """The caller's valid tokens; an administrator's list has everybody's."""
    query = select(ApiToken).where(ApiToken.revoked_at.is_(None)).order_by(ApiToken.id.desc())
    if not _rules(viewer):
        query = query.where(ApiToken.agent_id == viewer.agent_id)
    return list(await session.scalars(query))


async def is_live(session: AsyncSession, token_id: UUID) -> bool:
    """Whether the token still opens something: for sockets that stay open for days."""
    row = await session.get(ApiToken, token_id, populate_existing=True)
    return row is not None and row.revoked_at is None and (row.expires_at is None or row.expires_at > now())


async def revoke(session: AsyncSession, viewer: Viewer, *, token_id: UUID) -> ApiToken:
    token = await session.get(ApiToken, token_id)
    if token is None or (token.agent_id != viewer.agent_id and not _rules(viewer)):
        raise NotFound
    token.revoked_at = token.revoked_at or now()
    return token


def _rules(viewer: Viewer) -> bool:
    return viewer.is_admin and "admin" in viewer.scopes
