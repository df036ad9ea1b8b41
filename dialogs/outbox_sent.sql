-- Settles a message that the platform took; gives the seconds since it was due, null when it was no longer
-- ours. $1: message, $2: our attempt, $3: `sent` or `delivered`, $4: another chat or '', $5: ids that the platform gave, $6: further names,
-- $7: note or ''. When an echo or a receipt was quicker, the ids become further names: the one that is kept
-- may be another part's. So it may be repeated when nobody knows whether it was carried out.
with ours as (
    select m.id, m.channel_id, coalesce(nullif($4, ''), m.chat) as chat
    from messages m where m.id = $1
),
done as (
    update messages m
    set status = $3, error = null, error_code = null, next_attempt_at = null, sent_at = now(),
        delivered_at = case when $3 = 'delivered' then now() else m.delivered_at end,
        chat = ours.chat, external_id = coalesce(($5::text[])[1], m.external_id),
        meta = case when $7 = '' then m.meta else m.meta || jsonb_build_object('note', $7::text) end
    from ours
    where m.id = $1 and m.status in ('sending', 'unknown') and m.attempts = $2
    returning m.id, m.customer_id, m.dialog_id, m.send_after
),
keyed as (
    insert into message_keys (channel_id, chat, external_id, message_id)
    select ours.channel_id, ours.chat, ($5::text[])[1], ours.id
    from ours, done
    where ours.chat is not null and ($5::text[])[1] <> ''
    on conflict do nothing
),
named as (
    insert into message_aliases (channel_id, alias, message_id)
    select ours.channel_id, a.alias, ours.id
    from ours, lateral (
        select coalesce(ours.chat, '') || ':' || e.id as alias
        from unnest($5::text[]) with ordinality as e (id, place)
        where e.place > 1 or not exists (select from done)
        union
        select unnest($6::text[])) a
    on conflict do nothing
),
told as (
    insert into facts (type, actor_kind, customer_id, dialog_id, message_id, data)
    select 'message.status', 'system', d.customer_id, d.dialog_id, d.id, jsonb_build_object('status', $3::text)
    from done d
)
select greatest(0, extract(epoch from now() - d.send_after))::float8 from done d
