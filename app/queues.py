"""How the queues are: what waits, and since when it could have been done. One cheap statement.

Looked at by `/metrics` and by `otklik doctor`.
"""

from dialogs import lifecycle, outbox
from tasks import overdue

MOST = 10_000
"""Where counting ends; the outbox: of each channel."""

LOOK = f"""
with waiting as materialized (
    select k.state = 'active' as active, q.depth
    from channels k cross join lateral (
        select count(*) as depth from (
            select from messages where channel_id = k.id and status = 'queued' limit {MOST}) x) q)
select
    (select count(*) from (select from inbound where state = 'new' limit {MOST}) x) as inbound_new,
    (select extract(epoch from now() - received_at)::float8 from inbound
     where state = 'new' order by id limit 1) as inbound_new_age,
    (select count(*) from (select from inbound where state = 'quarantined' limit {MOST}) x)
        as inbound_quarantined,
    (select extract(epoch from now() - received_at)::float8 from inbound
     where state = 'quarantined' order by id limit 1) as inbound_quarantined_age,
    (select coalesce(sum(depth), 0)::bigint from waiting where active) as outbox_queued,
    extract(epoch from now() - ({outbox.DUE}))::float8 as outbox_queued_age,
    (select coalesce(sum(depth), 0)::bigint from waiting where not active) as outbox_paused,
    (select count(*) from messages where status = 'sending') as outbox_sending,
    extract(epoch from now() - ({outbox.DUE_ABANDONED}))::float8 as outbox_sending_age,
    (select count(*) from (select from attachments where state = 'pending' limit {MOST}) x) as attachments,
    (select extract(epoch from now() - min(next_attempt_at))::float8 from attachments
     where state = 'pending') as attachments_age,
    extract(epoch from now() - ({lifecycle.DUE}))::float8 as snoozed_age,
    extract(epoch from now() - ({overdue.DUE}))::float8 as overdue_age,
    (select count(*) from heartbeats where seen_at > now() - interval '30 s') as workers,
    (select max(extract(epoch from clock_timestamp() - xact_start))::float8 from pg_stat_activity
     where backend_xid is not null and pid <> pg_backend_pid()) as horizon_age,
    (select max(extract(epoch from clock_timestamp() - xact_start))::float8 from pg_stat_activity
     where backend_type = 'client backend' and pid <> pg_backend_pid()) as transaction_age
"""  # noqa: S608 - constants only
