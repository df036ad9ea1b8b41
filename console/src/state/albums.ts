/** Albums: what a customer sent at once comes as several messages, and is shown as one. */

import type { Entity } from './entities'
import type { ThreadMessage } from './threads'

export interface Bubble {
  message: ThreadMessage
  /** Numbers of the further messages in it. */
  more: number[]
}

/** Neighbours of one album become one bubble with all files and texts; any other message is one by itself. */
export function bubbles(messages: ThreadMessage[]): Bubble[] {
  const found: Bubble[] = []
  let album: unknown
  for (const message of messages) {
    const last = found.at(-1)
    if (last && album && message.meta.album === album && !message.deleted_at && !last.message.deleted_at) {
      last.message = together(last.message, message)
      last.more.push(message.seq)
    } else found.push({ message, more: [] })
    album = message.meta.album
  }
  return found
}

/** The first one, with what the other brings; formatting moves along with its text. */
function together(first: ThreadMessage, other: ThreadMessage): ThreadMessage {
  const start = first.text && other.text ? `${first.text}\n` : first.text
  const moved = entities(other).map((one) => ({ ...one, offset: one.offset + start.length }))
  return {
    ...first,
    text: start + other.text,
    meta: { ...first.meta, entities: [...entities(first), ...moved] },
    attachments: [...first.attachments, ...other.attachments],
    edited_at: first.edited_at ?? other.edited_at,
  }
}

const entities = (message: ThreadMessage): Entity[] => (Array.isArray(message.meta.entities) ? (message.meta.entities as Entity[]) : [])
