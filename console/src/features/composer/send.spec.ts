import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Me } from '@/api/types'
import { dialog, message } from '@/state/fixtures'
import { useDrafts } from '@/stores/drafts'
import { useSession } from '@/stores/session'
import { useThreads } from '@/stores/threads'
import { useSend } from './send'

const talk = dialog('d1')
let sent: Record<string, unknown>[]

function reply(status: number, body: unknown): void {
  vi.stubGlobal('fetch', async (_url: string, init: RequestInit) => {
    const asked = JSON.parse(String(init.body)) as Record<string, unknown>
    sent.push(asked)
    if (status === 0) throw new TypeError('network')
    const answer = status < 300 ? message(9, { ...(body as object), client_key: asked.client_key as string, direction: 'out', author_id: 'me', status: 'queued' }) : body
    return new Response(JSON.stringify(answer), { status })
  })
}

const items = () => useThreads().get('c-d1')?.items ?? []

beforeEach(async () => {
  sent = []
  localStorage.clear()
  setActivePinia(createPinia())
  useSession().$patch({ me: { id: 'me' } as Me })
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ items: [message(5)], has_more: false })))
  await useThreads().load('c-d1')
  useDrafts().set('d1', { text: 'ответ' })
})

it('stands in the thread at once and becomes the message of the server', async () => {
  reply(201, {})
  const sending = useSend(() => talk).send(undefined)
  expect(items().at(-1)).toMatchObject({ text: 'ответ', local: 'saving' })
  expect(useDrafts().get('d1').text).toBe('')
  expect(await sending).toBe(true)
  expect(items().map((m) => m.id)).toEqual(['m5', 'm9'])
  expect(sent[0]).toMatchObject({ seen_seq: 5, direction: 'out', text: 'ответ' })
})

it('asks before it sends past a message that just came, and then sends without the condition', async () => {
  reply(409, { code: 'dialog_changed' })
  const { send, changed } = useSend(() => talk)
  expect(await send(undefined)).toBe(false)
  expect(changed.value).toBe(true)
  expect(items().map((m) => m.id)).toEqual(['m5'])
  expect(useDrafts().get('d1').text).toBe('ответ')
  reply(201, {})
  expect(await send(undefined, true)).toBe(true)
  expect(sent.at(-1)!.seen_seq).toBeNull()
  expect(changed.value).toBe(false)
})

it('gives the text back when it is refused, before what was typed meanwhile', async () => {
  reply(403, { code: 'forbidden' })
  const sending = useSend(() => talk).send(undefined)
  useDrafts().set('d1', { text: 'следующее' })
  await sending
  expect(useDrafts().get('d1').text).toBe('ответ\nследующее')
  expect(items()).toHaveLength(1)
})

it('keeps a message whose fate is unknown, and repeats it under the same key', async () => {
  reply(0, null)
  await useSend(() => talk).send(undefined)
  const left = items().at(-1)!
  expect(left.local).toBe('unsaved')
  const body = useThreads().bodyOf(left)!
  expect(body.client_key).toBe(sent[0]!.client_key)
  reply(201, {})
  await useThreads().send({ ...left, local: 'saving' }, body)
  expect(items().map((m) => m.id)).toEqual(['m5', 'm9'])
})
