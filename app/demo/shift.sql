-- Moves what a customer's last step left behind (everything that is younger than $3) to the time of that step, $2.
with d as (select id from dialogs where customer_id = $1),
t as (select distinct task_id as id from task_dialogs where dialog_id in (select id from d)),
m as (
    update messages
    set created_at = case when created_at >= $3 then $2 else created_at end,
        send_after = case when send_after >= $3 then $2 else send_after end,
        sent_at = case when sent_at >= $3 then $2 + interval '2 seconds' else sent_at end,
        delivered_at = case when delivered_at >= $3 then $2 + interval '3 seconds' else delivered_at end,
        read_at = case when read_at >= $3 then $2 + interval '50 seconds' else read_at end,
        edited_at = case when edited_at >= $3 then $2 else edited_at end
    where customer_id = $1
      and greatest(created_at, send_after, sent_at, delivered_at, read_at, edited_at) >= $3
),
ds as (
    update dialogs
    set created_at = case when created_at >= $3 then $2 else created_at end,
        last_message_at = case when last_message_at >= $3 then $2 else last_message_at end,
        waiting_since = case when waiting_since >= $3 then $2 else waiting_since end,
        first_response_at = case when first_response_at >= $3 then $2 else first_response_at end,
        closed_at = case when closed_at >= $3 then $2 else closed_at end
    where customer_id = $1
),
f as (
    update facts set at = $2
    where at >= $3
      and (customer_id = $1 or dialog_id in (select id from d) or task_id in (select id from t))
),
c as (update customers set created_at = $2 where id = $1 and created_at >= $3),
i as (update identities set created_at = $2 where customer_id = $1 and created_at >= $3),
a as (
    update attachments set created_at = $2
    where created_at >= $3 and message_id in (select id from messages where customer_id = $1)
),
n as (
    update inbound set received_at = $2, done_at = $2
    where received_at >= $3 and id in (select inbound_id from messages where customer_id = $1)
)
update tasks
set created_at = case when created_at >= $3 then $2 else created_at end,
    finished_at = case when finished_at >= $3 then $2 else finished_at end
where id in (select id from t)
