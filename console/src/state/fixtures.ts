/** Small entities for the specs. Not part of the console. */

import type { Fact } from '@/api/facts'
import type { Dialog, Message, Task } from '@/api/types'

const minute = (n: number) => new Date(Date.UTC(2026, 2, 2, 9, n)).toISOString()

export function dialog(id: string, fields: Partial<Dialog> = {}): Dialog {
  return {
    id, number: Number(id.replace(/\D/g, '')) || 1, status: 'open', customer: { id: `c-${id}`, name: `Customer ${id}`, avatar_url: null },
    channel_id: 'ch', assignee_id: null, team_id: null, snoozed_until: null, waiting_since: null, first_response_at: null,
    last_message_at: minute(0), last_direction: 'in', last_author_id: null, preview: '', inbound_count: 1, created_at: minute(0),
    closed_at: null, task_count: 0, next_deadline_at: null, ...fields,
  }
}

export function message(seq: number, fields: Partial<Message> = {}): Message {
  return {
    id: `m${seq}`, seq, dialog_id: 'd1', customer_id: 'c-d1', direction: 'in', channel_id: 'ch', identity_id: 'i', text: `text ${seq}`,
    html: null, author_id: null, reply_to: null, attachments: [], created_at: minute(seq), occurred_at: null, edited_at: null,
    status: null, error: null, error_code: null, send_after: null, client_key: null, sent_at: null, delivered_at: null,
    read_at: null, deleted_at: null, reactions: [], acts: [], meta: {}, ...fields,
  }
}

export function task(id: string, fields: Partial<Task> = {}): Task {
  return {
    id, number: 1, title: id, description: '', status: 'todo', owner_id: 'me', team_id: null, deadline_at: minute(30), overdue: false,
    created_by: 'me', created_at: minute(0), finished_at: null, dialogs: [], message_ids: [], ...fields,
  }
}

export function fact(type: string, fields: Partial<Fact> = {}): Fact {
  return { cursor: 'x', type, at: minute(1), actor: { kind: 'system', id: null }, data: {}, ...fields }
}

export { minute }
