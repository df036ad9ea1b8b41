/** Tasks in memory: applying facts, membership in a view and order. */

import type { Fact } from '@/api/facts'
import type { Me, Task, TaskStatus, TaskView } from '@/api/types'

export interface TasksState {
  byId: Map<string, Task>
}

export type TaskPhase = 'unfinished' | 'finished' | 'any'

export interface TaskFilter {
  view: TaskView
  phase: TaskPhase
}

export const emptyTasks = (): TasksState => ({ byId: new Map() })

export const STATUSES: TaskStatus[] = ['todo', 'in_progress', 'waiting', 'done', 'cancelled']

export const finished = (task: Pick<Task, 'status'>) => task.status === 'done' || task.status === 'cancelled'

export const isOverdue = (task: Task, now: Date) => !finished(task) && Date.parse(task.deadline_at) < now.getTime()

export function applyToTasks(state: TasksState, fact: Fact): void {
  if (fact.type === 'task.hidden') {
    if (fact.task_id) state.byId.delete(fact.task_id)
  } else if (fact.task) state.byId.set(fact.task.id, fact.task)
}

export function inTaskView(task: Task, filter: TaskFilter, me: Pick<Me, 'id' | 'team_ids'>, now: Date): boolean {
  if (filter.view !== 'overdue' && filter.phase !== 'any' && finished(task) !== (filter.phase === 'finished')) {
    return false
  }
  if (filter.view === 'mine') return task.owner_id === me.id
  if (filter.view === 'created') return task.created_by === me.id
  if (filter.view === 'team') return task.team_id !== null && me.team_ids.includes(task.team_id)
  if (filter.view === 'overdue') return isOverdue(task, now)
  return true
}

/** Unfinished first, nearest deadline first; finished ones newest first. */
export function compareTasks(a: Task, b: Task): number {
  const late = Number(finished(a)) - Number(finished(b))
  if (late) return late
  if (finished(a)) return Date.parse(b.finished_at ?? b.created_at) - Date.parse(a.finished_at ?? a.created_at)
  return Date.parse(a.deadline_at) - Date.parse(b.deadline_at) || a.number - b.number
}

export const tasksOfDialogs = (state: TasksState, ids: Set<string>): Task[] =>
  [...state.byId.values()].filter((t) => t.dialogs.some((d) => ids.has(d.id))).sort(compareTasks)
