import { expect, it } from 'vitest'
import { emptyDraft, giveBack, isEmpty, loadDraft, saveDraft } from './drafts'
import { fact, minute, task } from './fixtures'
import { applyToTasks, compareTasks, emptyTasks, inTaskView, isOverdue, tasksOfDialogs } from './tasks'

const me = { id: 'me', team_ids: ['t1'] }
const now = new Date(minute(40))

it('puts the nearest deadline first and finished tasks last, newest first', () => {
  const all = [
    task('late', { deadline_at: minute(50) }), task('old', { status: 'done', finished_at: minute(1) }), task('soon', { deadline_at: minute(10) }),
    task('new', { status: 'cancelled', finished_at: minute(9) }),
  ]
  expect(all.sort(compareTasks).map((t) => t.id)).toEqual(['soon', 'late', 'new', 'old'])
})

it('knows views as the server does', () => {
  const filter = (view: 'mine' | 'created' | 'team' | 'overdue' | 'all', phase: 'unfinished' | 'finished' | 'any' = 'unfinished') => ({ view, phase })
  expect(inTaskView(task('a', { owner_id: 'x' }), filter('mine'), me, now)).toBe(false)
  expect(inTaskView(task('a', { owner_id: 'x' }), filter('created'), me, now)).toBe(true)
  expect(inTaskView(task('a', { team_id: 't1' }), filter('team'), me, now)).toBe(true)
  expect(inTaskView(task('a', { status: 'done' }), filter('mine'), me, now)).toBe(false)
  expect(inTaskView(task('a', { status: 'done' }), filter('mine', 'any'), me, now)).toBe(true)
  expect(inTaskView(task('a', { deadline_at: minute(30) }), filter('overdue'), me, now)).toBe(true)
  expect(isOverdue(task('a', { deadline_at: minute(30), status: 'done' }), now)).toBe(false)
})

it('follows facts and gives the tasks of dialogs', () => {
  const state = emptyTasks()
  applyToTasks(state, fact('task.created', { task: task('a', { dialogs: [{ id: 'd1', number: 1, customer_id: 'c', customer_name: '' }] }) }))
  applyToTasks(state, fact('task.created', { task: task('b') }))
  expect(tasksOfDialogs(state, new Set(['d1'])).map((t) => t.id)).toEqual(['a'])
  applyToTasks(state, fact('task.hidden', { task_id: 'a' }))
  expect([...state.byId.keys()]).toEqual(['b'])
})

it('keeps drafts, survives a broken storage, and puts a returned text before what was typed', () => {
  const kept = new Map<string, string>()
  const store = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) }
  saveDraft(store, 'd1', { ...emptyDraft(), text: 'привет', note: true })
  expect(loadDraft(store, 'd1')).toMatchObject({ text: 'привет', note: true })
  saveDraft(store, 'd1', emptyDraft())
  expect(kept.size).toBe(0)
  kept.set('otklik.draft.d2', '{broken')
  expect(isEmpty(loadDraft(store, 'd2'))).toBe(true)
  expect(giveBack({ ...emptyDraft(), text: 'новое' }, 'старое').text).toBe('старое\nновое')
  expect(() => saveDraft({ ...store, setItem: () => { throw new Error('full') } }, 'd1', { ...emptyDraft(), text: 'x' })).not.toThrow()
})
