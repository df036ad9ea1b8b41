/** How a thread is laid out: days, dialogs, system lines, and runs of one author's messages. */

import { dayKey } from '@/time/zone'
import type { ThreadMessage } from './threads'

export interface Group {
  kind: 'group'
  key: string
  direction: 'in' | 'out' | 'note'
  author: string | null
  /** Set when the channel differs from that of the message before. */
  channel: string | null
  messages: ThreadMessage[]
}

export type Row =
  | { kind: 'day'; key: string; at: string }
  | { kind: 'dialog'; key: string; dialog: string }
  | { kind: 'system'; key: string; message: ThreadMessage }
  | Group

const JOIN_WITHIN = 5 * 60_000

/** Who wrote it: an agent, or the name of who wrote in the platform's own interface. */
const authorOf = (m: ThreadMessage) => m.author_id ?? (typeof m.meta?.author === 'string' ? m.meta.author : null)

export const timeOf = (m: ThreadMessage) => (m.direction === 'in' ? (m.occurred_at ?? m.created_at) : m.created_at)

function joins(group: Group | null, message: ThreadMessage, channelChanged: boolean): group is Group {
  if (!group || channelChanged || group.direction !== message.direction) return false
  if (group.author !== authorOf(message)) return false
  const last = group.messages.at(-1)!
  return Date.parse(timeOf(message)) - Date.parse(timeOf(last)) < JOIN_WITHIN
}

export function rows(items: ThreadMessage[], zone: string): Row[] {
  const found: Row[] = []
  let day = ''
  let dialog = ''
  let channel: string | null = null
  let group: Group | null = null
  for (const message of items) {
    if (message.status === 'cancelled') continue
    const today = dayKey(new Date(timeOf(message)), zone)
    if (today !== day) {
      found.push({ kind: 'day', key: `day:${today}:${message.id}`, at: timeOf(message) })
      group = null
    }
    if (message.dialog_id !== dialog) {
      if (dialog) found.push({ kind: 'dialog', key: `dialog:${message.id}`, dialog: message.dialog_id })
      group = null
    }
    day = today
    dialog = message.dialog_id
    if (message.direction === 'system') {
      found.push({ kind: 'system', key: message.id, message })
      group = null
      continue
    }
    const changed = message.channel_id !== null && message.channel_id !== channel
    if (joins(group, message, changed)) group.messages.push(message)
    else {
      group = {
        kind: 'group', key: message.client_key ?? message.id, direction: message.direction,
        author: authorOf(message), channel: changed ? message.channel_id : null, messages: [message],
      }
      found.push(group)
    }
    channel = message.channel_id ?? channel
  }
  return found
}

/** Delivery state stands only at the last outgoing message, and at those that need somebody. */
export function showsDelivery(items: ThreadMessage[]): Set<string> {
  const shown = new Set<string>()
  const outgoing = items.filter((m) => m.direction === 'out' && m.status !== 'cancelled')
  const last = outgoing.at(-1)
  if (last) shown.add(last.id)
  for (const m of outgoing) {
    if (m.local || m.status === 'failed' || m.status === 'unknown' || m.status === 'queued') shown.add(m.id)
  }
  return shown
}
