"""`report.month`: first answers of thirty days, through the whole application, against the bare SQL."""

import asyncpg

from app.agents import people, tokens
from app.core.embedded import EmbeddedServer
from app.demo.scale import desk
from bench import figure, large
from bench.figure import Figure

_BARE = """
select first_response_by, count(*), avg(wait), percentile_cont(array[0.5, 0.9]) within group (order by wait)
from (select first_response_by, extract(epoch from first_response_at - created_at) as wait from dialogs
      where created_at >= current_date - 30 and first_response_by is not null) answered
group by first_response_by
"""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (2, 1) if smoke else (15, 5)
    async with large.opened(running, smoke=smoke) as on:
        on.token = await _admin(on)
        bare = await asyncpg.connect(on.url)

        async def report() -> None:
            await on.get("/reports/first-response")

        async def fetch() -> None:
            await bare.fetch(_BARE)

        await report()
        await fetch()
        taken = [
            (await large.median(report, count=count), await large.median(fetch, count=count))
            for _ in range(rounds)
        ]
        await bare.close()
    return [figure.of("report.month", "ms", taken)]


async def _admin(on: large.Large) -> str:
    """A token of an administrator, who sees the answers of all."""
    async with on.app.state.database.transaction() as session:
        agent = await people.find_by_email(session, desk.address("admin"))
        assert agent is not None
        _, token = await tokens.issue(session, agent_id=agent.id, name="bench", scopes=["read"])
    return token
