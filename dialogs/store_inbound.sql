-- Stores one message of a customer: identity, customer, dialog, message, files, counters and facts, and
-- settles its raw event ($25; only when it is new and its lane's turn), in one statement. A message that is
-- there already settles the raw event alone and gives no row; a raw event settled by another, or whose turn it
-- is not, gives no row either. When both come at once, the second raises unique_violation on pk_message_keys: the
-- insert of the key has no ON CONFLICT on purpose, so that the whole statement undoes itself.
-- A known identity is locked as the foreign key of its message would lock it at the end: who gives it to another
-- customer waits, or was quicker, and then the customer is the new one (`dialogs.belonging`).
with settled as (
    update inbound i
    set state = 'done', error = null, done_at = now(), attempts = attempts + 1
    where $25 and i.id = $21 and i.state = 'new'
      and (i.lane = '' or not exists (
        select from inbound j
        where j.channel_id = $1 and j.lane = i.lane and j.state = 'new' and j.id < i.id))
    returning i.id
),
mid as (
    select uuidv7() as id
    where not exists (select from message_keys k
                      where k.channel_id = $1 and k.chat = $12 and k.external_id = nullif($13, ''))
      and (not $25 or exists (select from settled))
),
known as (
    select id, customer_id from identities where scope = $3 and external_id = $4 for key share
),
refreshed as (
    update identities i
    set name = case when $5 <> '' then $5 else i.name end,
        username = case when $6 <> '' then $6 else i.username end,
        reachable = true
    from known k, mid
    where i.id = k.id
      and (not i.reachable or ($5 <> '' and i.name <> $5) or ($6 <> '' and i.username <> $6))
    returning not old.reachable as is_back
),
named_customer as (
    update customers c
    set name = case when c.name = '' then $5 else c.name end,
        phone = case when c.phone = '' then $7 else c.phone end
    from known k, mid
    where c.id = k.customer_id and (c.name = '' and $5 <> '' or c.phone = '' and $7 <> '')
    returning jsonb_build_object('fields', array_remove(array[
        case when old.name <> new.name then 'name' end, case when old.phone <> new.phone then 'phone' end], null)
    ) as changed
),
new_customer as (
    insert into customers (name, phone, email, locale)
    select $5, $7, $8, $9
    from mid
    where $20::uuid is null and not exists (select from known)
    returning id
),
added as (
    insert into identities (customer_id, scope, external_id, kind, name, username)
    select coalesce($20::uuid, (select id from new_customer)), $3, $4, $2, $5, $6
    from mid
    where not exists (select from known)
    on conflict (scope, external_id) do update set reachable = true
    returning id, customer_id, old.id is null as is_new
),
who as (
    -- $26: whose thread it joins, when somebody else writes there.
    select id, coalesce($26::uuid, customer_id) as customer_id, false as is_new from known
    union all
    select id, coalesce($26::uuid, customer_id), is_new from added
),
latest as (
    select d.id
    from dialogs d join who on d.customer_id = who.customer_id
    order by (d.status <> 'closed') desc, d.number desc
    limit 1
),
current as (
    update dialogs d
    set status = case when $18 then d.status else 'open' end,
        closed_at = case when $18 then d.closed_at end,
        closed_by = case when $18 then d.closed_by end,
        snoozed_until = case when $18 then d.snoozed_until end,
        channel_id = $1,
        waiting_since = case when $18 then d.waiting_since else coalesce(d.waiting_since, now()) end,
        last_message_at = now(),
        last_message_id = mid.id,
        last_direction = 'in',
        last_author_id = null,
        preview = $17,
        inbound_count = d.inbound_count + 1
    from latest l, mid, who
    where d.id = l.id and d.customer_id = who.customer_id  -- still: it may have been given away a moment ago
      and (d.status <> 'closed' or $18 or d.closed_at > now() - $16::interval)
    returning d.id, old.status as before,
              case when d.assignee_id is null and d.team_id is null then nullif(old.channel_id, $1) end as moved_from
),
opened as (
    insert into dialogs (customer_id, channel_id, team_id, waiting_since, last_message_id, preview, inbound_count)
    select who.customer_id, $1, $19::uuid, case when $18 then null else now() end, mid.id, $17, 1
    from who, mid
    where not exists (select from current)
    on conflict (customer_id) where status <> 'closed' do update
    set status = case when $18 then dialogs.status else 'open' end,
        snoozed_until = case when $18 then dialogs.snoozed_until end,
        channel_id = excluded.channel_id,
        waiting_since = coalesce(dialogs.waiting_since, excluded.waiting_since),
        last_message_at = now(),
        last_message_id = excluded.last_message_id,
        last_direction = 'in',
        last_author_id = null,
        preview = excluded.preview,
        inbound_count = dialogs.inbound_count + 1
    returning id, old.status as before
),
talk as (
    select id, before = 'closed' and not $18 as reopened, before = 'snoozed' and not $18 as woken, false as is_new,
           moved_from
    from current
    union all
    select id, false, before is not distinct from 'snoozed' and not $18, before is null, null from opened
),
stored as (
    insert into messages (id, customer_id, dialog_id, channel_id, identity_id, direction, text, html, chat,
                          external_id, reply_to_id, meta, inbound_id, occurred_at)
    select mid.id, who.customer_id, talk.id, $1, who.id, 'in', $10, $11, $12, nullif($13, ''),
           (select k.message_id from message_keys k
            where k.channel_id = $1 and k.chat = $12 and k.external_id = nullif($14, '')),
           $15::jsonb, $21, $22
    from mid, who, talk
    returning id, seq, customer_id, dialog_id, identity_id
),
keyed as (
    insert into message_keys (channel_id, chat, external_id, message_id)
    select $1, $12, $13, stored.id from stored where $13 <> ''
),
files as (
    insert into attachments (message_id, position, kind, name, mime, size, width, height, duration, content_id,
                             state, error, ref)
    select stored.id, f.position, f.kind, f.name, f.mime, f.size, f.width, f.height, f.duration, f.content_id,
           f.state, f.error, f.ref
    from stored, jsonb_to_recordset($23::jsonb) as f(
        position bigint, kind text, name text, mime text, size bigint, width bigint, height bigint,
        duration double precision, content_id text, state text, error text, ref jsonb)
),
named as (
    insert into message_aliases (channel_id, alias, message_id)
    select $1, a, stored.id from stored, unnest($24::text[]) a
    on conflict do nothing
),
told as (
    insert into facts (type, actor_kind, customer_id, dialog_id, message_id, channel_id, data)
    select f.type, 'customer', s.customer_id, s.dialog_id, f.message_id, $1, f.data
    from stored s, talk, who, lateral (values
        (1, 'customer.created', null::uuid, '{}'::jsonb,
            who.is_new and exists (select from new_customer n where n.id = s.customer_id)),
        (2, 'identity.added', null, jsonb_build_object('identity_id', who.id), who.is_new and $26::uuid is null),
        (3, 'identity.reachability', null, jsonb_build_object('identity_id', who.id, 'reachable', true),
            exists (select from refreshed r where r.is_back)),
        (4, 'customer.changed', null, (select changed from named_customer), exists (select from named_customer)),
        (5, 'dialog.opened', null, '{}', talk.is_new),
        (6, 'dialog.reopened', null, '{"by": "customer"}', talk.reopened),
        (7, 'dialog.woken', null, '{}', talk.woken),
        (8, 'dialog.changed', null, jsonb_build_object('from_channel_id', talk.moved_from),
            talk.moved_from is not null),
        (9, 'message.created', s.id, jsonb_build_object('direction', 'in', 'seq', s.seq), true)
    ) as f(step, type, message_id, data, is_true)
    where f.is_true
    order by f.step
)
select stored.id, stored.seq, stored.customer_id, stored.dialog_id, stored.identity_id, who.is_new as new_identity,
       talk.is_new as new_dialog,
       (select n.id from new_customer n where n.id <> stored.customer_id and $26::uuid is null) as orphan
from stored, who, talk
