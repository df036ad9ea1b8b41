"""Signed-in browsers: starting, finding (with sliding expiry) and ending sessions."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents import viewer as viewers
from app.agents.models import Agent, LoginSession
from app.agents.viewer import Viewer
from app.core.clock import now
from app.core.secrets import hash_token, random_token

_TOUCH_EVERY = timedelta(minutes=5)


async def start(
    session: AsyncSession, *, agent_id: UUID, user_agent: str, ttl: timedelta
) -> tuple[UUID, str]:
    """A new session: its id and the token for the cookie. Forgets the agent's expired ones."""
    await session.execute(
        delete(LoginSession).where(LoginSession.agent_id == agent_id, LoginSession.expires_at <= now())
    )
    token = random_token()
    row = LoginSession(
        agent_id=agent_id,
        token_hash=hash_token(token),
        user_agent=user_agent.replace("\x00", "")[:300],
        expires_at=now() + ttl,
    )
    session.add(row)
    await session.flush()
    return row.id, token


async def find(session: AsyncSession, *, token: str, ttl: timedelta) -> Viewer | None:
    """Who calls with a live session's cookie; its end moves on, written at most every five minutes."""
    query = select(LoginSession, *viewers.PERSON).join(Agent, Agent.id == LoginSession.agent_id)
    found = (
        await session.execute(
            query.where(LoginSession.token_hash == hash_token(token), LoginSession.expires_at > now())
        )
    ).one_or_none()
    if found is None:
        return None
    row, *person = found
    if now() - row.seen_at > _TOUCH_EVERY:
        await session.execute(
            update(LoginSession)
            .where(LoginSession.id == row.id)
            .values(seen_at=now(), expires_at=now() + ttl)
        )
    return viewers.of(*person, session_id=row.id)


async def end(session: AsyncSession, *, session_id: UUID) -> None:
    await session.execute(delete(LoginSession).where(LoginSession.id == session_id))


async def forget_expired(session: AsyncSession, *, limit: int = 500) -> int:
    """Drop some sessions that are over; returns how many."""
    old = (
        select(LoginSession.id)
        .where(LoginSession.expires_at <= now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await session.scalars(
        delete(LoginSession).where(LoginSession.id.in_(old)).returning(LoginSession.id)
    )
    return len(gone.all())


async def end_all(session: AsyncSession, *, agent_id: UUID, keep: UUID | None = None) -> None:
    """End the agent's sessions, all but `keep`."""
    query = delete(LoginSession).where(LoginSession.agent_id == agent_id)
    if keep is not None:
        query = query.where(LoginSession.id != keep)
    await session.execute(query)


async def find_live(session: AsyncSession, *, session_ids: list[UUID]) -> set[UUID]:
    """Which of these sessions still live: for sockets that stay open for days."""
    query = select(LoginSession.id).where(LoginSession.id.in_(session_ids), LoginSession.expires_at > now())
    return set(await session.scalars(query))
