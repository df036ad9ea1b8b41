-- Facts and raw events of the last days, as retention would have left them.
insert into facts (at, type, actor_kind, actor_id, customer_id, dialog_id, message_id, channel_id, data)
select m.created_at, 'message.created', case when m.author_id is null then 'customer' else 'agent' end, m.author_id,
       m.customer_id, m.dialog_id, m.id, m.channel_id, jsonb_build_object('direction', m.direction, 'seq', m.seq)
from messages m
where m.id >= uuidv7(interval '-3 days') and m.created_at > now() - interval '3 days'
order by m.seq;

insert into inbound (channel_id, key, lane, payload, state, attempts, received_at, done_at)
select m.channel_id, 'scale:' || m.external_id, m.chat,
       convert_to(jsonb_build_object('id', m.external_id, 'from', m.chat, 'text', m.text)::text, 'UTF8'), 'done', 1,
       m.created_at, m.created_at
from messages m
where m.id >= uuidv7(interval '-3 days') and m.created_at > now() - interval '3 days' and m.direction = 'in'
order by m.seq;

insert into inbound_keys (channel_id, key, inbound_id, received_at)
select channel_id, key, id, received_at from inbound;
