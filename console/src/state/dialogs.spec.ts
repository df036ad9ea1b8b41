import { describe, expect, it } from 'vitest'
import {
  applyToDialogs, belongs, compareDialogs, emptyDialogs, markRead, ordered, place, putDialog, putListed, recount, unread,
  type Filter, type List,
} from './dialogs'
import { dialog, fact, minute } from './fixtures'
import { Freshness } from './freshness'

const me = { id: 'me', team_ids: ['t1'] }
const filter = (fields: Partial<Filter> = {}): Filter => ({ view: 'all', status: 'open', channel: '', q: '', ...fields })
const list = (ids: string[], next: string | null = null, fields: Partial<Filter> = {}): List => ({ filter: filter(fields), ids: new Set(ids), next })

describe('order of the list', () => {
  it('puts who waits longest first, then those who do not wait by their last message', () => {
    const all = [
      dialog('d1', { last_message_at: minute(50) }), dialog('d2', { waiting_since: minute(20) }),
      dialog('d3', { last_message_at: minute(55) }), dialog('d4', { waiting_since: minute(5) }),
    ]
    expect(all.sort((a, b) => compareDialogs(a, b, 'waiting')).map((d) => d.id)).toEqual(['d4', 'd2', 'd3', 'd1'])
  })

  it('is by the last message where nobody is meant to wait', () => {
    const all = [dialog('d1', { waiting_since: minute(1), last_message_at: minute(1) }), dialog('d2', { last_message_at: minute(2) })]
    expect(all.sort((a, b) => compareDialogs(a, b, 'recent')).map((d) => d.id)).toEqual(['d2', 'd1'])
  })
})

describe('membership', () => {
  it('follows view, status and channel', () => {
    expect(belongs(dialog('d', { assignee_id: 'me' }), filter({ view: 'mine' }), me)).toBe(true)
    expect(belongs(dialog('d'), filter({ view: 'mine' }), me)).toBe(false)
    expect(belongs(dialog('d', { team_id: 't1' }), filter({ view: 'team' }), me)).toBe(true)
    expect(belongs(dialog('d', { team_id: 't2' }), filter({ view: 'team' }), me)).toBe(false)
    expect(belongs(dialog('d', { assignee_id: 'x' }), filter({ view: 'unassigned' }), me)).toBe(false)
    expect(belongs(dialog('d', { status: 'closed' }), filter(), me)).toBe(false)
    expect(belongs(dialog('d'), filter({ channel: 'other' }), me)).toBe(false)
  })

  it('leaves out what stands beyond the loaded part of the list', () => {
    const state = emptyDialogs()
    putDialog(state, dialog('d1', { waiting_since: minute(1) }))
    putDialog(state, dialog('d2', { waiting_since: minute(9) }))
    const loaded = list(['d1'], 'cursor')
    place(state, loaded, 'd2', me)
    expect([...loaded.ids]).toEqual(['d1'])
    loaded.next = null
    place(state, loaded, 'd2', me)
    expect(ordered(state, loaded).map((d) => d.id)).toEqual(['d1', 'd2'])
  })

  it('drops a dialog that left the view and one that was hidden', () => {
    const state = emptyDialogs()
    putDialog(state, dialog('d1'))
    const loaded = list(['d1'])
    applyToDialogs(state, fact('dialog.closed', { dialog_id: 'd1', dialog: dialog('d1', { status: 'closed' }) }), 'me')
    place(state, loaded, 'd1', me)
    expect(loaded.ids.size).toBe(0)
    applyToDialogs(state, fact('dialog.hidden', { dialog_id: 'd1' }), 'me')
    expect(state.byId.has('d1')).toBe(false)
  })

  it('never lets live facts change the results of a search', () => {
    const state = emptyDialogs()
    putDialog(state, dialog('d1'))
    const found = list([], null, { q: 'anna' })
    place(state, found, 'd1', me)
    expect(found.ids.size).toBe(0)
  })
})

describe('unread', () => {
  it('counts what I have not read, and only my own reading', () => {
    const state = emptyDialogs()
    putListed(state, [{ ...dialog('d1', { inbound_count: 5 }), unread: 2 }], () => true)
    expect(unread(state, state.byId.get('d1')!)).toBe(2)
    applyToDialogs(state, fact('dialog.read', { dialog_id: 'd1', actor: { kind: 'agent', id: 'else' }, data: { inbound_count: 5 } }), 'me')
    expect(unread(state, state.byId.get('d1')!)).toBe(2)
    applyToDialogs(state, fact('dialog.read', { dialog_id: 'd1', actor: { kind: 'agent', id: 'me' }, data: { inbound_count: 4 } }), 'me')
    expect(unread(state, state.byId.get('d1')!)).toBe(1)
    markRead(state, 'd1', 1)
    expect(unread(state, state.byId.get('d1')!)).toBe(1)
  })

  it('of a dialog that was just opened is everything', () => {
    const state = emptyDialogs()
    applyToDialogs(state, fact('dialog.opened', { dialog_id: 'd1', dialog: dialog('d1', { inbound_count: 2 }) }), 'me')
    expect(unread(state, state.byId.get('d1')!)).toBe(2)
  })
})

it('moves the counters with one dialog', () => {
  const counts = { mine: 1, unassigned: 2, team: 0, all: 3, tasks_mine: 0, tasks_overdue: 0 }
  recount(counts, dialog('d1'), dialog('d1', { assignee_id: 'me', team_id: 't1' }), me)
  expect(counts).toMatchObject({ mine: 2, unassigned: 1, team: 1, all: 3 })
  recount(counts, dialog('d1', { assignee_id: 'me' }), dialog('d1', { assignee_id: 'me', status: 'closed' }), me)
  expect(counts).toMatchObject({ mine: 1, all: 2 })
})

it('does not let an older answer overwrite what the feed brought meanwhile', () => {
  const state = emptyDialogs()
  const freshness = new Freshness()
  const mark = freshness.mark()
  freshness.touch('d1')
  putDialog(state, dialog('d1', { preview: 'new' }))
  putListed(state, [{ ...dialog('d1', { preview: 'old' }), unread: 0 }], (id) => freshness.allows(id, mark))
  expect(state.byId.get('d1')!.preview).toBe('new')
  const later = freshness.mark()
  putListed(state, [{ ...dialog('d1', { preview: 'newest' }), unread: 0 }], (id) => freshness.allows(id, later))
  expect(state.byId.get('d1')!.preview).toBe('newest')
})
