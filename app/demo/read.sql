-- Everybody has read what lies before our last word or an end; what waits is still unread.
with seen as (
    select d.id as dialog_id, a.id as agent_id,
           case when d.status = 'closed' then d.inbound_count
                else (select count(*) from messages m
                      where m.dialog_id = d.id and m.direction = 'in'
                        and m.seq < coalesce((select max(o.seq) from messages o
                                              where o.dialog_id = d.id and o.direction in ('out', 'note')), 0))
           end as inbound_count
    from dialogs d cross join agents a
    where not a.is_bot
),
marked as (
    insert into dialog_reads (agent_id, dialog_id, inbound_count)
    select agent_id, dialog_id, inbound_count from seen where inbound_count > 0
    on conflict (agent_id, dialog_id) do update
    set inbound_count = greatest(dialog_reads.inbound_count, excluded.inbound_count)
    returning agent_id, dialog_id, inbound_count
)
insert into facts (type, actor_kind, actor_id, agent_id, dialog_id, data)
select 'dialog.read', 'agent', agent_id, agent_id, dialog_id, jsonb_build_object('inbound_count', inbound_count)
from marked
