/** Dialogs in memory: applying facts, unread counts, membership in a list and its order. */

import type { Fact } from '@/api/facts'
import type { Counts, Dialog, DialogStatus, DialogView, ListedDialog, Me } from '@/api/types'

export interface DialogsState {
  byId: Map<string, Dialog>
  /** How many inbound messages of a dialog I have read; absent: not known. */
  read: Map<string, number>
}

export interface Filter {
  view: DialogView
  status: DialogStatus
  channel: string
  q: string
}

export const emptyDialogs = (): DialogsState => ({ byId: new Map(), read: new Map() })

export function unread(state: DialogsState, dialog: Dialog): number {
  return Math.max(0, dialog.inbound_count - (state.read.get(dialog.id) ?? dialog.inbound_count))
}

export function putDialog(state: DialogsState, { unread: count, ...dialog }: Dialog & { unread?: number }): void {
  state.byId.set(dialog.id, dialog)
  if (count !== undefined) markRead(state, dialog.id, dialog.inbound_count - count)
}

/** Reading only moves forward. */
export function markRead(state: DialogsState, id: string, count: number): void {
  state.read.set(id, Math.max(count, state.read.get(id) ?? 0))
}

export function applyToDialogs(state: DialogsState, fact: Fact, me: string): void {
  if (fact.type === 'dialog.hidden') {
    if (fact.dialog_id) state.byId.delete(fact.dialog_id)
    return
  }
  if (fact.dialog) putDialog(state, fact.dialog)
  if (fact.dialog_id && fact.type === 'dialog.opened' && !state.read.has(fact.dialog_id)) {
    state.read.set(fact.dialog_id, 0)
  }
  if (fact.type === 'dialog.read' && fact.dialog_id && (fact.actor.id === me || fact.agent_id === me)) {
    markRead(state, fact.dialog_id, Number(fact.data.inbound_count ?? 0))
  }
  if (fact.customer) renameCustomer(state, fact.customer)
}

function renameCustomer(state: DialogsState, customer: { id: string; name: string; avatar_url: string | null }): void {
  for (const dialog of state.byId.values()) {
    if (dialog.customer.id !== customer.id) continue
    dialog.customer = { id: customer.id, name: customer.name, avatar_url: customer.avatar_url }
  }
}

export function inView(dialog: Dialog, view: DialogView, me: Pick<Me, 'id' | 'team_ids'>): boolean {
  if (view === 'mine') return dialog.assignee_id === me.id
  if (view === 'unassigned') return dialog.assignee_id === null
  if (view === 'team') return dialog.team_id !== null && me.team_ids.includes(dialog.team_id)
  return true
}

/** A search is decided by the server only; its results are updated but never joined live. */
export function belongs(dialog: Dialog, filter: Filter, me: Pick<Me, 'id' | 'team_ids'>): boolean {
  if (filter.q) return false
  if (dialog.status !== filter.status) return false
  if (filter.channel && dialog.channel_id !== filter.channel) return false
  return inView(dialog, filter.view, me)
}

export function compareDialogs(a: Dialog, b: Dialog, sort: 'waiting' | 'recent'): number {
  if (sort === 'waiting' && (a.waiting_since !== null || b.waiting_since !== null)) {
    if (a.waiting_since === null) return 1
    if (b.waiting_since === null) return -1
    const waited = Date.parse(a.waiting_since) - Date.parse(b.waiting_since)
    if (waited) return waited
  }
  return Date.parse(b.last_message_at) - Date.parse(a.last_message_at) || b.number - a.number
}

export const sortOf = (filter: Filter) => (filter.status === 'open' && !filter.q ? 'waiting' : 'recent')

export interface List {
  filter: Filter
  ids: Set<string>
  next: string | null
}

/** Where a dialog stands after a change: joins the list only within the part that is loaded. */
export function place(state: DialogsState, list: List, id: string, me: Pick<Me, 'id' | 'team_ids'>): void {
  const dialog = state.byId.get(id)
  if (!dialog) {
    list.ids.delete(id)
    return
  }
  if (list.filter.q) return
  if (!belongs(dialog, list.filter, me)) list.ids.delete(id)
  else if (!list.next || beforeLast(state, list, dialog)) list.ids.add(id)
}

function beforeLast(state: DialogsState, list: List, dialog: Dialog): boolean {
  const last = ordered(state, list).at(-1)
  return !last || compareDialogs(dialog, last, sortOf(list.filter)) <= 0
}

export function ordered(state: DialogsState, list: List): Dialog[] {
  const sort = sortOf(list.filter)
  return [...list.ids]
    .map((id) => state.byId.get(id))
    .filter((dialog) => dialog !== undefined)
    .sort((a, b) => compareDialogs(a, b, sort))
}

export function putListed(state: DialogsState, items: ListedDialog[], allowed: (id: string) => boolean): void {
  for (const item of items) {
    if (allowed(item.id) || !state.byId.has(item.id)) putDialog(state, item)
    else markRead(state, item.id, item.inbound_count - item.unread)
  }
}

const VIEWS: DialogView[] = ['mine', 'unassigned', 'team', 'all']

/** Counters count open dialogs; the change of one dialog moves them without asking the server. */
export function recount(
  counts: Counts, before: Dialog | undefined, after: Dialog | undefined, me: Pick<Me, 'id' | 'team_ids'>,
): void {
  for (const view of VIEWS) {
    const was = before?.status === 'open' && inView(before, view, me)
    const is = after?.status === 'open' && inView(after, view, me)
    if (was !== is) counts[view] = Math.max(0, counts[view] + (is ? 1 : -1))
  }
}
