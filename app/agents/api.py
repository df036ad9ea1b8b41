"""REST of people: signing in, one's own profile, agents, teams, API tokens."""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.agents import auth, passwords, people, sessions, teams, tokens
from app.agents.deps import Admin, Caller, Newcomer
from app.agents.errors import Csrf, WrongLogin
from app.agents.models import Agent, ApiToken
from app.agents.people import NewAgent
from app.agents.schemas import (
    AgentChange,
    AgentNew,
    AgentOut,
    AgentSecret,
    Login,
    Me,
    MeChange,
    TeamChange,
    TeamNew,
    TeamOut,
    TokenNew,
    TokenOut,
    TokenSecret,
)
from app.agents.throttle import Throttle
from app.core import idempotency
from app.core.config import Settings
from app.core.deps import Config, Db, Session
from app.core.errors import Invalid
from app.core.facts import Actor

_COOKIE_AGE = 400 * 24 * 3600  # the longest browsers keep; when a session ends is decided by its row

router = APIRouter()
plain = APIRouter(route_class=idempotency.Route)
secret = APIRouter()  # answers hold secrets, which `Idempotency-Key` would store


# --- signing in -----------------------------------------------------------------------------


@secret.post("/login", tags=["Session"])
async def session_create(
    body: Login, request: Request, response: Response, database: Db, settings: Config
) -> Me:
    """Sign in with e-mail and password; the answer sets the cookie `otklik_session`.

    No transaction is open while the password is checked: that takes a tenth of a second on purpose.
    """
    if not auth.same_origin(request, settings):
        raise Csrf
    throttle: Throttle = request.app.state.throttle
    address = request.client.host if request.client else ""
    throttle.attempt(email=body.email, address=address)
    async with database.transaction() as session:
        agent = await people.find_by_email(session, body.email)
    usable = agent is not None and agent.active and not agent.is_bot
    right = await passwords.verify(agent.password_hash if agent and usable else None, body.password)
    if agent is None or not right:
        raise WrongLogin
    throttle.succeeded(email=body.email, address=address)
    async with database.transaction() as session:
        session_id, token = await sessions.start(
            session,
            agent_id=agent.id,
            user_agent=request.headers.get("user-agent", ""),
            ttl=timedelta(days=settings.session_days),
        )
        me = await _me(session, agent.id, session_id)
    _set_cookie(response, token, settings)
    return me


@plain.post("/logout", tags=["Session"], status_code=204)
async def session_delete(caller: Newcomer, session: Session, response: Response, settings: Config) -> None:
    """Sign out this browser."""
    if caller.session_id is None:
        raise Invalid("An API token does not sign out; revoke it.")
    await sessions.end(session, session_id=caller.session_id)
    await people.announce_ended(session, agent_id=caller.agent_id, actor=caller.actor)
    response.delete_cookie(auth.COOKIE, path="/", secure=_secure(settings), httponly=True, samesite="lax")


@plain.post("/logout-everywhere", tags=["Session"], status_code=204)
async def session_delete_others(caller: Newcomer, session: Session) -> None:
    """Sign out all other browsers of the caller."""
    await people.end_sessions(session, agent_id=caller.agent_id, actor=caller.actor, keep=caller.session_id)


@plain.get("/me", tags=["Session"])
async def me_get(caller: Newcomer, session: Session) -> Me:
    """Who calls."""
    return await _me(session, caller.agent_id, caller.session_id)


@plain.patch("/me", tags=["Session"])
async def me_update(body: MeChange, caller: Newcomer, session: Session) -> Me:
    """Change one's own name, language, time zone or password (which ends one's other sessions)."""
    agent = await people.get(session, caller.agent_id)
    values = body.model_dump(exclude_none=True, exclude={"password"})
    if values:
        await people.change(session, agent, values, actor=caller.actor)
    if body.password is not None:
        await _change_password(session, agent, body, caller.actor, keep=caller.session_id)
    return await _me(session, caller.agent_id, caller.session_id)


async def _change_password(
    session: Session, agent: Agent, body: MeChange, actor: Actor, *, keep: UUID | None
) -> None:
    assert body.password is not None
    if not await passwords.verify(agent.password_hash, body.password.current):
        raise Invalid("The current password is wrong.", field="password.current")
    hashed = await passwords.make_hash(body.password.new)
    await people.set_password(session, agent, hashed, actor=actor, keep_session=keep)


async def _me(session: Session, agent_id: UUID, session_id: UUID | None) -> Me:
    (agent,) = await people.list_all(session, ids=[agent_id])
    row = await session.get_one(Agent, agent_id)
    return Me(**agent.model_dump(), must_change_password=row.must_change_password, session_id=session_id)


def _secure(settings: Settings) -> bool:
    return settings.url.startswith("https://")


def _set_cookie(response: Response, token: str, settings: Settings) -> None:
    response.set_cookie(
        auth.COOKIE,
        token,
        max_age=_COOKIE_AGE,
        path="/",
        secure=_secure(settings),
        httponly=True,
        samesite="lax",
    )


# --- agents ---------------------------------------------------------------------------------


@plain.get("/agents", tags=["Agents"])
async def agent_list(caller: Caller, session: Session) -> list[AgentOut]:
    """All agents, by name."""
    return await people.list_all(session)


@secret.post("/agents", tags=["Agents"], status_code=201)
async def agent_create(body: AgentNew, caller: Admin, session: Session) -> AgentSecret:
    """Make an agent or a bot. Administrators only.

    The answer may hold a secret: an `Idempotency-Key` is not honoured.
    """
    generated = None if body.password or body.is_bot else passwords.generate()
    password = None if body.is_bot else body.password or generated
    new = NewAgent(
        **body.model_dump(exclude={"password", "team_ids"}),
        password_hash=await passwords.make_hash(password) if password else None,
        must_change_password=generated is not None,
    )
    agent = await people.create(session, new, actor=caller.actor, team_ids=body.team_ids)
    (shape,) = await people.list_all(session, ids=[agent.id])
    return AgentSecret(**shape.model_dump(), password=generated)


@secret.patch("/agents/{agent_id}", tags=["Agents"])
async def agent_update(agent_id: UUID, body: AgentChange, caller: Admin, session: Session) -> AgentSecret:
    """Change an agent, deactivate him, or give him a new password. Administrators only."""
    agent = await people.get(session, agent_id)
    values = body.model_dump(exclude_none=True, exclude={"team_ids", "reset_password"})
    if agent.is_bot and "email" in body.model_fields_set and body.email is None:
        values["email"] = None
    if values or body.team_ids is not None:
        await people.change(session, agent, values, actor=caller.actor, team_ids=body.team_ids)
    generated = None
    if body.reset_password:
        generated = passwords.generate()
        hashed = await passwords.make_hash(generated)
        await people.set_password(session, agent, hashed, actor=caller.actor, must_change=True)
    (shape,) = await people.list_all(session, ids=[agent.id])
    return AgentSecret(**shape.model_dump(), password=generated)


# --- teams ----------------------------------------------------------------------------------


@plain.get("/teams", tags=["Teams"])
async def team_list(caller: Caller, session: Session) -> list[TeamOut]:
    """All teams, by name."""
    return await teams.list_all(session)


@plain.post("/teams", tags=["Teams"], status_code=201)
async def team_create(body: TeamNew, caller: Admin, session: Session) -> TeamOut:
    """Make a team. Administrators only."""
    team = await teams.create(session, name=body.name, member_ids=body.member_ids, actor=caller.actor)
    (shape,) = await teams.list_all(session, ids=[team.id])
    return shape


@plain.patch("/teams/{team_id}", tags=["Teams"])
async def team_update(team_id: UUID, body: TeamChange, caller: Admin, session: Session) -> TeamOut:
    """Rename a team or set its members. Administrators only."""
    team = await teams.get(session, team_id)
    await teams.change(session, team, name=body.name, member_ids=body.member_ids, actor=caller.actor)
    (shape,) = await teams.list_all(session, ids=[team.id])
    return shape


@plain.delete("/teams/{team_id}", tags=["Teams"], status_code=204)
async def team_delete(team_id: UUID, caller: Admin, session: Session) -> None:
    """Remove a team without dialogs and tasks. Administrators only."""
    await teams.remove(session, await teams.get(session, team_id), actor=caller.actor)


# --- API tokens -----------------------------------------------------------------------------


@plain.get("/tokens", tags=["Tokens"])
async def token_list(caller: Caller, session: Session) -> list[TokenOut]:
    """The caller's valid tokens; an administrator sees everybody's."""
    return [_token(row) for row in await tokens.list_all(session, caller)]


@secret.post("/tokens", tags=["Tokens"], status_code=201)
async def token_create(body: TokenNew, caller: Caller, session: Session) -> TokenSecret:
    """Make a token. `admin` and `inbound` tokens, and tokens for others, are made by administrators.

    The answer holds a secret: an `Idempotency-Key` is not honoured.
    """
    row, text = await tokens.create(
        session,
        caller,
        name=body.name,
        scopes=list(body.scopes),
        agent_id=body.agent_id,
        expires_at=body.expires_at,
    )
    return TokenSecret(**_token(row).model_dump(), token=text)


@plain.delete("/tokens/{token_id}", tags=["Tokens"], status_code=204)
async def token_delete(token_id: UUID, caller: Caller, session: Session) -> None:
    """Revoke a token: it stops working at once."""
    token = await tokens.revoke(session, caller, token_id=token_id)
    await people.announce_ended(session, agent_id=token.agent_id, actor=caller.actor)


def _token(row: ApiToken) -> TokenOut:
    return TokenOut.model_validate({name: getattr(row, name) for name in TokenOut.model_fields})


router.include_router(plain)
router.include_router(secret)
