-- Takes one message to send and gives all that is needed for it: the first unfinished one of a dialog, whose
-- time has come, of the channel that waits longest among those that may send. $1: how long the sender may take,
-- $2: age at which a message is given up, $3: channels that may have no more lanes of this process.
-- Channels are looked at by their first message alone, so that a million messages of one that may not send
-- cost the others nothing; only the row that is taken is locked.
with taken as (
    update messages m
    set status = 'sending', attempts = m.attempts + 1, next_attempt_at = now() + $1::interval
    where m.id = (
        select c.id
        from (
            select k.id
            from channels k cross join lateral (
                select greatest(q.send_after, q.next_attempt_at) as due_at
                from messages q
                where q.channel_id = k.id and q.status = 'queued'
                order by greatest(q.send_after, q.next_attempt_at)
                limit 1) first
            where k.state = 'active' and (k.frozen_until is null or k.frozen_until <= now())
              and k.id <> all($3::uuid[]) and first.due_at <= now()
            order by first.due_at) k
        cross join lateral (
            select q.id
            from messages q
            where q.channel_id = k.id and q.status = 'queued'
              and greatest(q.send_after, q.next_attempt_at) <= now()
              and not exists (
                select from messages e
                where e.dialog_id = q.dialog_id and e.status in ('queued', 'sending')
                  and (e.send_after, e.seq) < (q.send_after, q.seq))
            order by greatest(q.send_after, q.next_attempt_at)
            limit 1
            for update skip locked) c
        limit 1)
    returning m.id, m.seq, m.customer_id, m.dialog_id, m.channel_id, m.attempts, m.identity_id, m.author_id,
              m.reply_to_id, m.chat, m.text, m.meta as own_meta, m.send_after < now() - $2::interval as expired
),
told as (
    insert into facts (type, actor_kind, customer_id, dialog_id, message_id, data)
    select 'message.status', 'system', t.customer_id, t.dialog_id, t.id, '{"status": "sending"}'::jsonb
    from taken t
)
select t.id, t.seq, t.customer_id, t.dialog_id, t.channel_id, k.kind, t.attempts, t.expired,
       coalesce(t.chat, '') as chat, t.text, coalesce(i.external_id, '') as recipient,
       coalesce(a.name, '') as author, t.own_meta -> 'buttons' as buttons, t.own_meta -> 'mail' as mail,
       coalesce((select q.external_id from messages q
                 where q.id = t.reply_to_id and q.channel_id = t.channel_id and q.chat = t.chat), '') as reply_to,
       coalesce(
         -- In a group several people write in one chat: each is answered where he wrote himself.
         (select q.meta from messages q
          where q.customer_id = t.customer_id and q.channel_id = t.channel_id and q.chat = t.chat
            and t.chat <> '' and q.seq < t.seq and q.direction = 'in'
          order by q.seq desc limit 1),
         (select q.meta from messages q
          where q.channel_id = t.channel_id and q.chat = t.chat and t.chat <> ''
            and q.seq < t.seq and q.direction = 'in'
          order by q.seq desc limit 1)) as meta,
       (select jsonb_agg(jsonb_build_object('kind', f.kind, 'name', f.name, 'mime', f.mime, 'size', f.size,
                                            'key', f.file_key) order by f.position)
        from attachments f where f.message_id = t.id and f.file_key is not null) as files
from taken t
join channels k on k.id = t.channel_id
left join identities i on i.id = t.identity_id
left join agents a on a.id = t.author_id
