/** Dialogs, the list that is shown, and what can be done with a dialog. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { dialogs as api } from '@/api/client'
import type { Fact } from '@/api/facts'
import { ApiError } from '@/api/http'
import type { Dialog, ListedDialog } from '@/api/types'
import {
  applyToDialogs, emptyDialogs, markRead, ordered, place, putDialog, putListed, recount, unread as unreadOf,
  type Filter, type List,
} from '@/state/dialogs'
import { Freshness } from '@/state/freshness'
import { useSession } from './session'

const READ_AGAIN = 5000

const blank = (): List => ({ filter: { view: 'mine', status: 'open', channel: '', q: '' }, ids: new Set(), next: null })

export const useDialogs = defineStore('dialogs', () => {
  const session = useSession()
  const state = ref(emptyDialogs())
  const list = ref<List>(blank())
  const loading = ref(false)
  const failed = ref(false)
  const freshness = new Freshness()
  let running: AbortController | null = null

  const shown = computed(() => ordered(state.value, list.value))
  const get = (id: string | null | undefined) => (id ? state.value.byId.get(id) : undefined)
  const unread = (dialog: Dialog) => unreadOf(state.value, dialog)
  const unreadMine = computed(() => {
    const mine = [...state.value.byId.values()].filter((d) => d.assignee_id === session.me?.id && d.status === 'open')
    return mine.filter((d) => unread(d) > 0).length
  })

  const query = (filter: Filter, cursor: string | null) => ({
    view: filter.view, status: filter.q ? null : filter.status, channel_id: filter.channel, q: filter.q, cursor, limit: 50,
  })

  async function fetchPage(cursor: string | null): Promise<void> {
    running?.abort()
    const own = (running = new AbortController())
    const mark = freshness.mark()
    loading.value = true
    failed.value = false
    try {
      const page = await api.list(query(list.value.filter, cursor), own.signal)
      if (running !== own) return
      takePage(page.items, mark)
      list.value.next = page.next
    } catch (error) {
      if (running === own) failed.value = true
      if (!(error instanceof DOMException)) throw error
    } finally {
      if (running === own) loading.value = false
    }
  }

  function takePage(items: ListedDialog[], mark: number): void {
    putListed(state.value, items, (id) => freshness.allows(id, mark))
    for (const item of items) list.value.ids.add(item.id)
  }

  async function open(filter: Filter): Promise<void> {
    list.value = { ...blank(), filter }
    await fetchPage(null)
  }

  /** My own dialogs are known from the start: the browser's tab counts what is unread in them. */
  async function prime(): Promise<void> {
    const mark = freshness.mark()
    const page = await api.list({ view: 'mine', status: 'open', limit: 100 })
    putListed(state.value, page.items, (id) => freshness.allows(id, mark))
  }

  const reload = () => open(list.value.filter)
  const more = async () => {
    if (list.value.next && !loading.value) await fetchPage(list.value.next)
  }

  async function fetchOne(id: string): Promise<Dialog> {
    const mark = freshness.mark()
    const item = await api.get(id)
    putListed(state.value, [item], (key) => freshness.allows(key, mark))
    return get(id) ?? item
  }

  function apply(fact: Fact): void {
    const id = fact.dialog?.id ?? fact.dialog_id
    const before = get(id)
    applyToDialogs(state.value, fact, session.me?.id ?? '')
    if (fact.customer) list.value = { ...list.value }
    if (!id) return
    freshness.touch(id)
    settle(id, before)
    const wanted = list.value.ids.has(id) || fact.dialog?.assignee_id === session.me?.id
    if (fact.dialog && wanted && !state.value.read.has(id)) void fetchOne(id).catch(() => {})
  }

  function settle(id: string, before: Dialog | undefined): void {
    const me = session.me
    if (!me) return
    place(state.value, list.value, id, me)
    if (before) recount(session.counts, before, get(id), me)
  }

  /** Changes at once what the agent sees; the answer, or the error, follows. */
  async function change(id: string, guess: Partial<Dialog>, call: () => Promise<Dialog>): Promise<void> {
    const before = get(id)
    if (before) put({ ...before, ...guess })
    try {
      put(await call())
    } catch (error) {
      if (before) put(before)
      throw error
    }
  }

  function put(dialog: Dialog & { unread?: number }): void {
    const before = get(dialog.id)
    putDialog(state.value, dialog)
    freshness.touch(dialog.id)
    settle(dialog.id, before)
  }

  const assign = (id: string, fields: { assignee_id?: string | null; team_id?: string | null }) =>
    change(id, fields, () => api.assign(id, fields))
  const snooze = (id: string, until: string | null) =>
    change(id, { status: 'snoozed', snoozed_until: until }, () => api.snooze(id, until))
  const close = (id: string) =>
    change(id, { status: 'closed', waiting_since: null, snoozed_until: null }, () => api.close(id))
  const reopen = (id: string) => change(id, { status: 'open', snoozed_until: null }, () => api.reopen(id))

  async function read(id: string): Promise<void> {
    const dialog = get(id)
    if (!dialog || unread(dialog) === 0) return
    markRead(state.value, id, dialog.inbound_count)
    await tellRead(id, dialog.inbound_count)
  }

  /** What was seen stays seen; while the server cannot be reached it is told later. */
  async function tellRead(id: string, count: number): Promise<void> {
    try {
      await api.read(id, count)
    } catch (error) {
      const later = error instanceof ApiError && (error.status === 0 || error.status >= 500)
      if (later && session.phase === 'ready') setTimeout(() => void tellRead(id, count), READ_AGAIN)
    }
  }

  function clear(): void {
    running?.abort()
    state.value = emptyDialogs()
    list.value = blank()
  }

  return {
    state, list, loading, failed, shown, unreadMine, get, unread, open, prime, reload, more, fetchOne, apply, put, assign,
    snooze, close, reopen, read, clear,
  }
})
