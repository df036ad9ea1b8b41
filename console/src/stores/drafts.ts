/** What is being written in each dialog; survives a reload. */

import { defineStore } from 'pinia'
import { reactive } from 'vue'
import { giveBack, isEmpty, loadDraft, saveDraft, type Draft } from '@/state/drafts'

export const useDrafts = defineStore('drafts', () => {
  const byDialog = reactive(new Map<string, Draft>())

  function get(dialog: string): Draft {
    if (!byDialog.has(dialog)) byDialog.set(dialog, loadDraft(localStorage, dialog))
    return byDialog.get(dialog)!
  }

  function set(dialog: string, fields: Partial<Draft>): void {
    const draft = { ...get(dialog), ...fields }
    byDialog.set(dialog, draft)
    saveDraft(localStorage, dialog, draft)
  }

  const restore = (dialog: string, text: string) => set(dialog, giveBack(get(dialog), text))

  const hasDraft = (dialog: string) => {
    const draft = byDialog.get(dialog)
    return draft !== undefined && !isEmpty(draft)
  }

  return { get, set, restore, hasDraft }
})
