-- The keys of the messages, as they are written with each.
insert into message_keys (channel_id, chat, external_id, message_id)
select channel_id, chat, external_id, id from messages where external_id is not null;

insert into client_keys (author_id, client_key, message_id)
select author_id, client_key, id from messages where client_key is not null;
