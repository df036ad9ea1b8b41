"""`thread.page`: the newest fifty messages of the customer who wrote most, against one who has but fifty."""

import asyncpg

from app.core.embedded import EmbeddedServer
from bench import figure, large
from bench.figure import Figure

_MOST = "select customer_id from dialogs group by 1 order by sum(inbound_count) desc limit 1"
_FIFTY = """
select customer_id from dialogs where customer_id <> $1
group by 1 order by abs(sum(inbound_count) - 28) limit 1
"""
"""A little more than half of what is said comes from customers."""
_OWN = """
update dialogs set team_id = (select m.team_id from team_members m join agents a on a.id = m.agent_id
                              where a.email = 'agent01@scale.example' order by 1 limit 1)
where customer_id = any($1)
"""


async def measure(running: EmbeddedServer, *, smoke: bool) -> list[Figure]:
    count, rounds = (3, 1) if smoke else (100, 5)
    async with large.opened(running, smoke=smoke) as on:
        bare = await asyncpg.connect(on.url)
        most = await bare.fetchval(_MOST)
        fifty = await bare.fetchval(_FIFTY, most)
        await bare.execute(_OWN, [most, fifty])
        await bare.close()
        taken = []
        for _ in range(rounds):
            found = [
                await large.median(lambda path=f"/customers/{id}/messages": on.get(path), count=count)  # type: ignore[misc]
                for id in (most, fifty)
            ]
            taken.append((found[0], found[1]))
    return [figure.of("thread.page", "ms", taken)]
