import { describe, expect, it } from 'vitest'
import { fact, message, minute } from './fixtures'
import { rows, showsDelivery, type Group } from './grouping'
import { splitQuote } from './quotes'
import { applyToThread, dropMessage, firstSeq, lastSeq, newThread, putMessage, type ThreadMessage } from './threads'

const local = (key: string, fields: Partial<ThreadMessage> = {}): ThreadMessage => ({
  ...message(0, { id: `local:${key}`, client_key: key, direction: 'out', author_id: 'me', status: 'queued', ...fields }), local: 'saving',
})
const ids = (items: ThreadMessage[]) => items.map((m) => m.id)

describe('a thread', () => {
  it('keeps the order of the server whatever comes first', () => {
    const thread = newThread('c-d1')
    for (const seq of [3, 1, 2]) putMessage(thread, message(seq))
    putMessage(thread, local('k'))
    putMessage(thread, message(4))
    expect(ids(thread.items)).toEqual(['m1', 'm2', 'm3', 'm4', 'local:k'])
    expect([firstSeq(thread), lastSeq(thread)]).toEqual([1, 4])
  })

  it('does not put what is said now behind a gap, when an earlier part is shown', () => {
    const thread = { ...newThread('c-d1'), hasNewer: true }
    for (const seq of [3, 4]) putMessage(thread, message(seq))
    applyToThread(thread, fact('message.created', { message: message(90) }))
    applyToThread(thread, fact('message.changed', { message: message(4, { text: 'edited' }) }))
    expect(ids(thread.items)).toEqual(['m3', 'm4'])
    expect(thread.items[1]!.text).toBe('edited')
  })

  it('replaces an unconfirmed message by its key, from the answer or the feed, once', () => {
    const thread = newThread('c-d1')
    putMessage(thread, local('k'))
    const real = message(7, { client_key: 'k', author_id: 'me', direction: 'out', status: 'queued' })
    applyToThread(thread, fact('message.created', { message: real }))
    putMessage(thread, real)
    expect(ids(thread.items)).toEqual(['m7'])
  })

  it('takes changes of status and ignores other customers', () => {
    const thread = newThread('c-d1')
    putMessage(thread, message(1, { direction: 'out', status: 'queued' }))
    applyToThread(thread, fact('message.status', { message: message(1, { direction: 'out', status: 'read' }) }))
    applyToThread(thread, fact('message.created', { message: message(2, { customer_id: 'other' }) }))
    expect(thread.items.map((m) => m.status)).toEqual(['read'])
  })

  it('does not tear a hole: a change of a message that is not loaded stays out', () => {
    const thread = { ...newThread('c-d1'), hasMore: true, loaded: true }
    putMessage(thread, message(50))
    applyToThread(thread, fact('message.edited', { message: message(3) }))
    expect(ids(thread.items)).toEqual(['m50'])
  })

  it('forgets what was given back to the composer', () => {
    const thread = newThread('c-d1')
    putMessage(thread, local('k'))
    dropMessage(thread, 'local:k')
    expect(thread.items).toEqual([])
  })
})

describe('layout', () => {
  it('joins one author within five minutes and names the channel when it changes', () => {
    const found = rows([
      message(1), message(2), message(9), message(10, { channel_id: 'mail' }), message(11, { channel_id: 'mail', direction: 'out', author_id: 'me' }),
    ], 'UTC')
    const groups = found.filter((r): r is Group => r.kind === 'group')
    expect(groups.map((g) => [g.messages.length, g.channel])).toEqual([[2, 'ch'], [1, null], [1, 'mail'], [1, null]])
  })

  it('marks days in the zone of the agent, dialogs, and leaves out cancelled messages', () => {
    const late = message(2, { created_at: '2026-03-02T21:30:00Z', dialog_id: 'd2' })
    const gone = message(3, { status: 'cancelled', direction: 'out' })
    const kinds = (zone: string) => rows([message(1), late, gone], zone).map((r) => r.kind)
    expect(kinds('UTC')).toEqual(['day', 'group', 'dialog', 'group'])
    expect(kinds('Europe/Moscow')).toEqual(['day', 'group', 'day', 'dialog', 'group'])
  })

  it('lets a note stand apart without changing the channel', () => {
    const found = rows([message(1), message(2, { direction: 'note', channel_id: null, author_id: 'me' }), message(3)], 'UTC')
    expect(found.filter((r): r is Group => r.kind === 'group').map((g) => g.channel)).toEqual(['ch', null, null])
  })

  it('shows delivery at the last outgoing message and at those in trouble', () => {
    const out = (seq: number, status: ThreadMessage['status']) => message(seq, { direction: 'out', status })
    expect([...showsDelivery([out(1, 'read'), out(2, 'failed'), out(3, 'read'), out(4, 'sent'), message(5)])].sort()).toEqual(['m2', 'm4'])
  })

  it('uses the time at the platform for what customers wrote', () => {
    const found = rows([message(1, { occurred_at: '2026-03-01T10:00:00Z', created_at: minute(1) })], 'UTC')
    expect(found[0]).toMatchObject({ kind: 'day', at: '2026-03-01T10:00:00Z' })
  })
})

it('folds the quoted part of a mail', () => {
  expect(splitQuote('Да\n\n> старое\n> ещё')).toEqual({ said: 'Да', quoted: '> старое\n> ещё' })
  expect(splitQuote('Yes\nOn Mon, 2 Mar 2026 at 10:00, Ann wrote:\nold').said).toBe('Yes')
  expect(splitQuote('просто текст').quoted).toBe('')
  expect(splitQuote('> всё цитата').said).toBe('> всё цитата')
})
