/** The promise of the console: a snapshot with facts applied is what a fresh fetch would give. */

import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Fact } from '@/api/facts'
import type { Dialog, Me, Message, Task } from '@/api/types'
import { dialog, fact, message, minute, task } from '@/state/fixtures'
import { useDialogs } from '@/stores/dialogs'
import { useSession } from '@/stores/session'
import { useTasks } from '@/stores/tasks'
import { useThreads } from '@/stores/threads'
import { applyFacts } from './desk'

const me = { id: 'me', team_ids: ['t1'], locale: 'ru', time_zone: 'UTC' } as unknown as Me

/** A server of three tables; `read` is how much of each dialog I have read. */
interface World { dialogs: Dialog[]; messages: Message[]; tasks: Task[]; read: Record<string, number> }

const before: World = {
  dialogs: [dialog('d1', { assignee_id: 'me', waiting_since: minute(1), inbound_count: 2 }), dialog('d2', { waiting_since: minute(3) }), dialog('d3')],
  messages: [message(1), message(2)], tasks: [task('k1')], read: { d1: 2, d2: 0, d3: 1 },
}
const written = message(3, { text: 'и ещё' })
const answered = message(4, { direction: 'out', author_id: 'me', status: 'sent', client_key: 'key' })
const after: World = {
  dialogs: [
    dialog('d1', { assignee_id: 'me', inbound_count: 3, last_message_at: minute(9), last_direction: 'out', preview: 'text 4', task_count: 1 }),
    dialog('d2', { status: 'closed', closed_at: minute(5) }), dialog('d4', { waiting_since: minute(6), inbound_count: 1 }),
  ],
  messages: [message(1), message(2, { text: 'исправлено', edited_at: minute(8) }), written, answered],
  tasks: [task('k1', { status: 'done', finished_at: minute(7) }), task('k2', { deadline_at: minute(12) })], read: { d1: 3, d4: 0 },
}
const [d1, d2, d4] = after.dialogs as [Dialog, Dialog, Dialog]
const facts: Fact[] = [
  fact('message.created', { dialog_id: 'd1', customer_id: 'c-d1', dialog: d1, message: written }),
  fact('dialog.closed', { dialog_id: 'd2', dialog: d2 }), fact('dialog.hidden', { dialog_id: 'd3' }),
  fact('dialog.opened', { dialog_id: 'd4', dialog: d4 }), fact('task.status', { task_id: 'k1', task: after.tasks[0] }),
  fact('task.created', { task_id: 'k2', task: after.tasks[1], dialog_id: 'd1', dialog: d1 }),
  fact('message.edited', { dialog_id: 'd1', message: after.messages[1] }),
  fact('message.created', { dialog_id: 'd1', dialog: d1, message: { ...answered, status: 'queued' } }),
  fact('message.status', { dialog_id: 'd1', message: answered }),
  fact('dialog.read', { dialog_id: 'd1', actor: { kind: 'agent', id: 'me' }, data: { inbound_count: 3 } }),
]

let server: World

function answer(url: string): unknown {
  const { pathname, searchParams } = new URL(url, 'http://x')
  const listed = (d: Dialog) => ({ ...d, unread: d.inbound_count - (server.read[d.id] ?? 0) })
  if (pathname.endsWith('/dialogs')) return { items: server.dialogs.filter((d) => d.status === searchParams.get('status')).map(listed), next: null }
  if (pathname.endsWith('/messages')) return { items: server.messages, has_more: false }
  if (pathname.endsWith('/tasks')) return { items: server.tasks.filter((t) => t.status === 'todo'), next: null }
  return listed(server.dialogs.find((d) => pathname.endsWith(d.id))!)
}

async function fetched(world: World): Promise<void> {
  server = structuredClone(world)
  setActivePinia(createPinia())
  useSession().$patch({ me, phase: 'ready' })
  await useDialogs().open({ view: 'all', status: 'open', channel: '', q: '' })
  await useThreads().load('c-d1')
  await useTasks().open({ view: 'mine', phase: 'unfinished' })
}

const screen = () => structuredClone({
  list: useDialogs().shown.map((d) => ({ ...JSON.parse(JSON.stringify(d)), unread: useDialogs().unread(d) })),
  thread: JSON.parse(JSON.stringify(useThreads().get('c-d1')!.items)), tasks: JSON.parse(JSON.stringify(useTasks().shown)),
})

beforeEach(() => {
  vi.stubGlobal('fetch', async (url: string) => new Response(JSON.stringify(answer(url))))
})

it('ends as a fresh fetch would', async () => {
  await fetched(after)
  const fresh = screen()
  await fetched(before)
  applyFacts(structuredClone(facts))
  expect(screen()).toEqual(fresh)
})

it('does so when facts come twice, as after a reconnection', async () => {
  await fetched(after)
  const fresh = screen()
  await fetched(before)
  applyFacts(structuredClone(facts.slice(0, 6)))
  applyFacts(structuredClone(facts))
  expect(screen()).toEqual(fresh)
})
