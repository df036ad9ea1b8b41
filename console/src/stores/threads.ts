/** Threads of customers, and the messages that are on their way to the server. */

import { defineStore } from 'pinia'
import { ref } from 'vue'
import { messages as api } from '@/api/client'
import type { Fact } from '@/api/facts'
import type { Act, Message, NewMessage } from '@/api/types'
import { Freshness } from '@/state/freshness'
import {
  applyToThread, dropMessage, firstSeq, lastSeq, newThread, putMessage, type Thread, type ThreadMessage,
} from '@/state/threads'

const PAGE = 50
/** Threads kept in memory; the ones looked at longest ago are forgotten. */
const KEPT = 30

export const useThreads = defineStore('threads', () => {
  const byCustomer = ref(new Map<string, Thread>())
  const unsent = new Map<string, NewMessage>()
  const freshness = new Freshness()
  let latest = ''

  const get = (customer: string | null | undefined) => (customer ? byCustomer.value.get(customer) : undefined)

  function ensure(customer: string): Thread {
    const known = byCustomer.value.get(customer)
    if (known) return known
    byCustomer.value.set(customer, newThread(customer))
    for (const key of byCustomer.value.keys()) {
      if (byCustomer.value.size <= KEPT) break
      if (key !== customer) byCustomer.value.delete(key)
    }
    return byCustomer.value.get(customer)!
  }

  function take(thread: Thread, items: Message[], mark: number): void {
    for (const item of items) {
      const known = thread.items.some((m) => m.id === item.id)
      if (!known || freshness.allows(item.id, mark)) putMessage(thread, item)
    }
  }

  async function load(customer: string): Promise<void> {
    latest = customer
    const thread = ensure(customer)
    const mark = freshness.mark()
    const page = await api.page(customer, { limit: PAGE })
    if (thread.hasNewer) thread.items = thread.items.filter((m) => m.local)
    take(thread, page.items, mark)
    thread.hasMore = page.has_more
    thread.hasNewer = false
    thread.loaded = true
  }

  async function loadOlder(customer: string): Promise<void> {
    const thread = ensure(customer)
    const before = firstSeq(thread)
    if (!thread.hasMore || before === null) return
    const mark = freshness.mark()
    const page = await api.page(customer, { before, limit: PAGE })
    take(thread, page.items, mark)
    thread.hasMore = page.has_more
  }

  /** The part of a thread around a message; what follows it is loaded on the way down. */
  async function loadAround(customer: string, seq: number): Promise<void> {
    latest = customer
    const thread = ensure(customer)
    if (thread.items.some((m) => m.seq === seq)) return
    const mark = freshness.mark()
    const [before, after] = await Promise.all([
      api.page(customer, { before: seq + 1, limit: PAGE / 2 }), api.page(customer, { after: seq, limit: PAGE / 2 }),
    ])
    thread.items = thread.items.filter((m) => m.local)
    take(thread, [...before.items, ...after.items], mark)
    thread.hasMore = before.has_more
    thread.hasNewer = after.has_more
    thread.loaded = true
  }

  async function loadNewer(customer: string): Promise<void> {
    const thread = ensure(customer)
    if (!thread.hasNewer) return
    const mark = freshness.mark()
    const page = await api.page(customer, { after: lastSeq(thread), limit: PAGE })
    take(thread, page.items, mark)
    thread.hasNewer = page.has_more
  }

  /** After a resync there may be a gap: what is loaded is taken anew. */
  async function reload(): Promise<void> {
    for (const thread of byCustomer.value.values()) {
      thread.items = thread.items.filter((m) => m.local)
      thread.loaded = false
      thread.hasNewer = false
    }
    byCustomer.value = new Map([...byCustomer.value].filter(([id, t]) => id === latest || t.items.length > 0))
    if (latest) await load(latest)
  }

  /** Whose messages are whose has changed: what is known of these threads is taken anew. */
  async function renew(customers: string[]): Promise<void> {
    const known = customers.filter((id) => byCustomer.value.has(id))
    for (const id of known) byCustomer.value.delete(id)
    if (known.includes(latest)) await load(latest)
  }

  const PARTED = /^(customer\.(un)?merged|identity\.moved)$/

  function apply(fact: Fact): void {
    if (PARTED.test(fact.type) && fact.customer_id) void renew([fact.customer_id]).catch(() => {})
    if (!fact.message) return
    freshness.touch(fact.message.id)
    const thread = get(fact.message.customer_id)
    if (thread) applyToThread(thread, fact)
  }

  function put(message: Message): void {
    const thread = get(message.customer_id)
    if (thread) putMessage(thread, message)
  }

  async function send(local: ThreadMessage, body: NewMessage): Promise<void> {
    unsent.set(local.id, body)
    if (ensure(local.customer_id).hasNewer) await load(local.customer_id)
    putMessage(ensure(local.customer_id), local)
    put(await api.send(local.dialog_id, body))
    unsent.delete(local.id)
  }

  const mark = (local: ThreadMessage, state: ThreadMessage['local']) =>
    putMessage(ensure(local.customer_id), { ...local, local: state })

  function drop(message: ThreadMessage): void {
    unsent.delete(message.id)
    const thread = get(message.customer_id)
    if (thread) dropMessage(thread, message.id)
  }

  const bodyOf = (message: ThreadMessage) => unsent.get(message.id)
  const cancel = async (id: string) => put(await api.cancel(id))
  const resend = async (id: string) => put(await api.resend(id))
  const edit = async (id: string, text: string) => put(await api.edit(id, text))
  const takeBack = async (id: string) => put(await api.delete(id))
  const react = async (id: string, emoji: string) => put(await api.react(id, emoji))
  const dismiss = async (id: string, kind: Act['kind']) => put(await api.dismiss(id, kind))

  function clear(): void {
    byCustomer.value = new Map()
    unsent.clear()
  }

  return {
    byCustomer, get, load, loadAround, loadOlder, loadNewer, reload, apply, put, send, mark, drop, bodyOf, cancel, resend, edit, takeBack, react,
    dismiss, clear,
  }
})
