"""What the viewers of open sockets may see now: keys of many at once, and whose keys a change can touch."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from app.agents.viewer import Viewer
from app.core.db import RawConnection, RawPool
from dialogs import access

_CHUNK = 500

_NOW = """
select v.place, a.role,
       array(select m.team_id from team_members m where m.agent_id = a.id) as teams,
       case when a.role = 'lead' then array(
           select mate.agent_id from team_members m join team_members mate using (team_id)
           where m.agent_id = a.id) else '{}' end as mates,
       array(select s.channel_id from team_members m join channel_teams s using (team_id)
             where m.agent_id = a.id) as channels
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as v(agent_id, session_id, token_id, place)
join agents a on a.id = v.agent_id and a.active
where (v.session_id is null
       or exists (select from sessions s where s.id = v.session_id and s.expires_at > now()))
  and (v.token_id is null
       or exists (select from api_tokens t where t.id = v.token_id and t.revoked_at is null
                  and (t.expires_at is null or t.expires_at > now())))
"""


async def keys_of(
    connection: RawConnection | RawPool, viewers: Sequence[Viewer]
) -> list[frozenset[str] | None]:
    """The keys each viewer holds now; None for who may not be here any more."""
    found: list[frozenset[str] | None] = [None] * len(viewers)
    for start in range(0, len(viewers), _CHUNK):
        part = viewers[start : start + _CHUNK]
        columns = zip(*((one.agent_id, one.session_id, one.token_id) for one in part), strict=True)
        for row in await connection.fetch(_NOW, *(list(column) for column in columns)):
            place = start + row["place"] - 1
            teams, mates = frozenset(row["teams"]), frozenset(row["mates"])
            fresh = replace(viewers[place], role=row["role"], team_ids=teams, mate_ids=mates)
            found[place] = access.keys(fresh, channel_ids=row["channels"])
    return found


_NEAR = {
    "agent": "select 'team:' || team_id from team_members where agent_id = $1",
    "team": "select 'self:' || agent_id from team_members where team_id = $1",
    "channel": "select 'team:' || team_id from channel_teams where channel_id = $1",
}


async def touched(connection: RawConnection | RawPool, noun: str, id: UUID) -> set[str]:
    """Keys of all whose keys a change of this agent, team or channel can have changed.

    Who was near it holds its own key; who is near it now is found through the database.
    """
    keys = {f"{noun}:{id}", f"self:{id}"} if noun == "agent" else {f"{noun}:{id}"}
    return keys.union(_first(await connection.fetch(_NEAR[noun], id)))


def _first(rows: Iterable[Sequence[str]]) -> Iterable[str]:
    return (row[0] for row in rows)
