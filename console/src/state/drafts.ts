/** Drafts of the composer, one per dialog, kept in the browser. */

import type { Attachment } from '@/api/types'
import type { MailDraft } from './mail'

export interface Draft {
  text: string
  note: boolean
  /** `identity:channel` when the agent chose the recipient himself. */
  route: string | null
  reply: { id: string; text: string } | null
  files: Attachment[]
  /** What was chosen for a mail; null: an answer to the customer alone. */
  mail: MailDraft | null
}

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const key = (dialog: string) => `otklik.draft.${dialog}`

export const emptyDraft = (): Draft => ({ text: '', note: false, route: null, reply: null, files: [], mail: null })

export const isEmpty = (draft: Draft) => !draft.text.trim() && draft.files.length === 0 && !draft.reply

export function loadDraft(store: Store, dialog: string): Draft {
  try {
    const value = JSON.parse(store.getItem(key(dialog)) ?? 'null') as Partial<Draft> | null
    return { ...emptyDraft(), ...(value ?? {}) }
  } catch {
    return emptyDraft()
  }
}

export function saveDraft(store: Store, dialog: string, draft: Draft): void {
  try {
    if (isEmpty(draft)) store.removeItem(key(dialog))
    else store.setItem(key(dialog), JSON.stringify(draft))
  } catch {
    // A full or forbidden storage costs the draft only after a reload.
  }
}

/** Text that comes back (undo, refused) goes before what was typed meanwhile. */
export function giveBack(draft: Draft, text: string): Draft {
  const parts = [text.trim(), draft.text.trim()].filter(Boolean)
  return { ...draft, text: parts.join('\n') }
}
