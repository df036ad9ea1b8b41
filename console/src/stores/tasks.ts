/** Tasks: those of the list, of the open customer, and the one that is open. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { tasks as api } from '@/api/client'
import type { Fact } from '@/api/facts'
import type { NewTask, Task } from '@/api/types'
import { Freshness } from '@/state/freshness'
import { applyToTasks, compareTasks, emptyTasks, inTaskView, tasksOfDialogs, type TaskFilter } from '@/state/tasks'
import { useSession } from './session'

export const useTasks = defineStore('tasks', () => {
  const session = useSession()
  const state = ref(emptyTasks())
  const filter = ref<TaskFilter>({ view: 'mine', phase: 'unfinished' })
  const next = ref<string | null>(null)
  const loading = ref(false)
  const freshness = new Freshness()
  let running: AbortController | null = null

  const get = (id: string | null | undefined) => (id ? state.value.byId.get(id) : undefined)
  const shown = computed(() => {
    const me = session.me
    if (!me) return []
    const now = new Date()
    return [...state.value.byId.values()].filter((t) => inTaskView(t, filter.value, me, now)).sort(compareTasks)
  })
  const ofDialogs = (ids: Set<string>) => tasksOfDialogs(state.value, ids)

  function take(items: Task[], mark: number): void {
    for (const item of items) if (freshness.allows(item.id, mark)) state.value.byId.set(item.id, item)
  }

  async function fetchPage(cursor: string | null): Promise<void> {
    running?.abort()
    const own = (running = new AbortController())
    const mark = freshness.mark()
    loading.value = true
    try {
      const { view, phase } = filter.value
      const page = await api.list({ view, status: view === 'overdue' ? null : phase, cursor, limit: 100 }, own.signal)
      take(page.items, mark)
      next.value = page.next
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
    } finally {
      if (running === own) loading.value = false
    }
  }

  async function open(wanted: TaskFilter): Promise<void> {
    filter.value = wanted
    await fetchPage(null)
  }

  const more = async () => {
    if (next.value && !loading.value) await fetchPage(next.value)
  }

  async function fetchOne(id: string): Promise<void> {
    const mark = freshness.mark()
    take([await api.get(id)], mark)
  }

  function apply(fact: Fact): void {
    const id = fact.task?.id ?? fact.task_id
    if (id) freshness.touch(id)
    applyToTasks(state.value, fact)
  }

  function put(task: Task): void {
    freshness.touch(task.id)
    state.value.byId.set(task.id, task)
  }

  async function create(body: NewTask): Promise<Task> {
    const task = await api.create(body)
    put(task)
    return task
  }

  async function change(id: string, fields: Partial<Task>): Promise<void> {
    const before = get(id)
    if (before) put({ ...before, ...fields })
    try {
      put(await api.change(id, fields))
    } catch (error) {
      if (before) put(before)
      throw error
    }
  }

  async function unlink(id: string, dialog: string): Promise<void> {
    await api.unlinkDialog(id, dialog)
    await fetchOne(id)
  }

  async function link(id: string, dialog: string): Promise<void> {
    await api.linkDialog(id, dialog)
    await fetchOne(id)
  }

  function clear(): void {
    running?.abort()
    state.value = emptyTasks()
  }

  const mark = () => freshness.mark()

  return {
    state, filter, next, loading, shown, get, ofDialogs, open, more, fetchOne, apply, put, create, change, link, unlink,
    seed: take, mark, clear,
  }
})
