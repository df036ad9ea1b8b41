"""A desk of many: teams with a channel each, agents in three teams each, a token for each agent."""

from dataclasses import dataclass
from uuid import UUID

from app.core.secrets import hash_token, random_token
from bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Crowd:
    """Tokens of the agents, and path of the webhook of each team's channel."""

    tokens: list[str]
    hooks: list[str]
    seen_by: int
    """How many agents see each message."""


_TEAMS = "insert into teams (name) select 'Team ' || n from generate_series(1, $1::int) n returning id"
_CHANNELS = """
insert into channels (kind, name, external_id, settings, secrets, info, webhook_key)
select kind, 'bench ' || n, 'bench ' || n, settings, secrets, info, webhook_key || '-' || n
from channels, generate_series(1, $2::int) n
where id = $1
returning id, webhook_key
"""
_AGENTS = """
insert into agents (name, email)
select 'Agent ' || n, 'agent' || n || '@bench.test' from generate_series(1, $1::int) n returning id
"""
_MEMBERS = "insert into team_members (team_id, agent_id) values ($1, $2)"
_SERVED = "insert into channel_teams (channel_id, team_id) values ($1, $2)"
_TOKENS = "insert into api_tokens (agent_id, name, token_hash, scopes) values ($1, 'bench', $2, '{read}')"


async def crowd(on: Stage, *, agents: int, teams: int, each: int = 3) -> Crowd:
    """`agents` people, each in `each` of `teams` teams: a message is seen by agents * each / teams."""
    tokens = [random_token() for _ in range(agents)]
    async with on.db.raw.acquire() as connection, connection.transaction():
        team_ids = [row["id"] for row in await connection.fetch(_TEAMS, teams)]
        channels = await connection.fetch(_CHANNELS, on.channel_id, teams)
        served = [(channel["id"], team) for channel, team in zip(channels, team_ids, strict=True)]
        await connection.executemany(_SERVED, served)
        people: list[UUID] = [row["id"] for row in await connection.fetch(_AGENTS, agents)]
        await connection.executemany(_MEMBERS, _memberships(people, team_ids, each))
        hashes = [(person, hash_token(token)) for person, token in zip(people, tokens, strict=True)]
        await connection.executemany(_TOKENS, hashes)
    return Crowd(tokens, [f"/hooks/{channel['webhook_key']}" for channel in channels], agents * each // teams)


def _memberships(people: list[UUID], teams: list[UUID], each: int) -> list[tuple[UUID, UUID]]:
    """Everybody in teams of their own mixture, every team of the same size."""
    step = len(teams) // each
    return [
        (teams[(number + turn * step) % len(teams)], person)
        for number, person in enumerate(people)
        for turn in range(each)
    ]
