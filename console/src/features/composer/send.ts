/** Sending: the message stands in the thread at once; what fails comes back with its text. */

import { ref } from 'vue'
import { ApiError } from '@/api/http'
import type { Dialog, NewMessage } from '@/api/types'
import type { Draft } from '@/state/drafts'
import { lastSeq, type ThreadMessage } from '@/state/threads'
import { useDrafts } from '@/stores/drafts'
import { useSession } from '@/stores/session'
import { useThreads } from '@/stores/threads'
import { useToasts } from '@/stores/toasts'
import { split } from '@/state/mail'
import type { Route } from './routes'

/** `crypto.randomUUID` is missing on plain http that is not localhost. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 15) | 64
  bytes[8] = (bytes[8]! & 63) | 128
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function optimistic(dialog: Dialog, draft: Draft, route: Route | undefined, key: string, me: string): ThreadMessage {
  const now = new Date().toISOString()
  return {
    id: `local:${key}`, seq: 0, dialog_id: dialog.id, customer_id: dialog.customer.id,
    direction: draft.note ? 'note' : 'out', channel_id: draft.note ? null : (route?.channel ?? null),
    identity_id: draft.note ? null : (route?.identity ?? null), text: draft.text.trim(), html: null, author_id: me,
    reply_to: draft.reply ? { ...draft.reply, direction: 'in' } : null, attachments: draft.files, created_at: now,
    occurred_at: null, edited_at: null, status: draft.note ? null : 'queued', error: null, error_code: null,
    send_after: null, client_key: key, sent_at: null, delivered_at: null, read_at: null, deleted_at: null, reactions: [],
    acts: [], meta: { ...mailOf(draft, route) }, local: 'saving',
  }
}

/** Only of a mail, and only what was filled in. */
function mailOf(draft: Draft, route: Route | undefined): Pick<NewMessage, 'mail'> {
  if (!draft.mail || draft.note || route?.kind !== 'email') return {}
  const { to, cc, bcc, subject, forward } = draft.mail
  return { mail: { to: split(to), cc: split(cc), bcc: split(bcc), subject: subject.trim(), forward } }
}

function body(draft: Draft, route: Route | undefined, key: string, seen: number): NewMessage {
  const [identity, channel] = draft.note || !draft.route ? [] : draft.route.split(':')
  return {
    client_key: key, direction: draft.note ? 'note' : 'out', text: draft.text.trim(),
    attachment_ids: draft.files.map((f) => f.id), reply_to_id: draft.reply?.id ?? null, seen_seq: seen || null,
    ...mailOf(draft, route),
    ...(channel && identity ? { channel_id: channel, identity_id: identity } : {}),
  }
}

const mayHaveArrived = (error: unknown) => error instanceof ApiError && (error.status === 0 || error.status >= 500)

export function useSend(dialog: () => Dialog) {
  const drafts = useDrafts()
  const threads = useThreads()
  const session = useSession()
  const toasts = useToasts()
  /** The customer wrote meanwhile; the agent is asked before it is sent after all. */
  const changed = ref(false)

  async function send(route: Route | undefined, anyway = false): Promise<boolean> {
    const at = dialog()
    const draft = { ...drafts.get(at.id) }
    if (!draft.text.trim() && !draft.files.length) return false
    const key = newKey()
    const local = optimistic(at, draft, route, key, session.me?.id ?? '')
    const seen = anyway || draft.note ? 0 : lastSeq(threads.get(at.customer.id))
    changed.value = false
    drafts.set(at.id, { text: '', files: [], reply: null, mail: null })
    try {
      await threads.send(local, body(draft, route, key, seen))
      return true
    } catch (error) {
      returned(at.id, draft, local, error)
      return false
    }
  }

  function returned(id: string, draft: Draft, local: ThreadMessage, error: unknown): void {
    if (mayHaveArrived(error)) {
      threads.mark(local, 'unsaved')
      return
    }
    threads.drop(local)
    drafts.restore(id, draft.text)
    drafts.set(id, { files: [...draft.files, ...drafts.get(id).files], reply: drafts.get(id).reply ?? draft.reply, mail: drafts.get(id).mail ?? draft.mail })
    if (error instanceof ApiError && error.code === 'dialog_changed') changed.value = true
    else toasts.fail(error)
  }

  return { send, changed }
}
