/** Threads in memory: merging pages, facts and messages that are still on their way. */

import type { Fact } from '@/api/facts'
import type { Message } from '@/api/types'

/** A message that this browser wrote and the server has not confirmed. */
export type LocalState = 'saving' | 'unsaved'
export type ThreadMessage = Message & { local?: LocalState }

export interface Thread {
  customer: string
  /** Ascending by seq; unconfirmed messages stand last. */
  items: ThreadMessage[]
  hasMore: boolean
  /** What is loaded ends before the newest: somebody jumped to an earlier message. */
  hasNewer: boolean
  loaded: boolean
}

export const newThread = (customer: string): Thread => ({ customer, items: [], hasMore: false, hasNewer: false, loaded: false })

const same = (a: ThreadMessage, b: ThreadMessage) =>
  a.id === b.id || (a.client_key !== null && a.client_key === b.client_key && a.author_id === b.author_id)

const rank = (m: ThreadMessage) => (m.local ? Number.MAX_SAFE_INTEGER : m.seq)

export function putMessage(thread: Thread, message: ThreadMessage): void {
  const at = thread.items.findIndex((item) => same(item, message))
  if (at >= 0) {
    const standing = rank(thread.items[at]!) === rank(message)
    if (standing) {
      thread.items[at] = message
      return
    }
    thread.items.splice(at, 1)
  }
  insert(thread.items, message)
}

function insert(items: ThreadMessage[], message: ThreadMessage): void {
  let at = items.length
  while (at > 0 && rank(items[at - 1]!) > rank(message)) at -= 1
  items.splice(at, 0, message)
}

export function dropMessage(thread: Thread, id: string): void {
  thread.items = thread.items.filter((item) => item.id !== id)
}

export function applyToThread(thread: Thread, fact: Fact): void {
  const message = fact.message
  if (!message || message.customer_id !== thread.customer) return
  const oldest = thread.items.find((item) => !item.local)
  const known = thread.items.some((item) => same(item, message))
  if (!known && thread.hasMore && oldest && message.seq < oldest.seq) return
  if (!known && thread.hasNewer && message.seq > lastSeq(thread)) return
  putMessage(thread, message)
}

export const lastSeq = (thread: Thread | undefined): number =>
  thread?.items.findLast((item) => !item.local)?.seq ?? 0

export const firstSeq = (thread: Thread | undefined): number | null =>
  thread?.items.find((item) => !item.local)?.seq ?? null
