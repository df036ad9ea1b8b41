/** Short words at the foot of the screen: what failed, what was done. */

import { defineStore } from 'pinia'
import { ref } from 'vue'
import { ApiError } from '@/api/http'
import { explain } from '@/i18n'

export interface Toast {
  id: number
  text: string
  tone: 'plain' | 'danger'
  action?: { label: string; run: () => void }
}

const LASTS = 7000

export const useToasts = defineStore('toasts', () => {
  const items = ref<Toast[]>([])
  let last = 0

  function dismiss(id: number): void {
    items.value = items.value.filter((t) => t.id !== id)
  }

  function show(text: string, tone: Toast['tone'] = 'plain', action?: Toast['action']): void {
    const id = ++last
    items.value = [...items.value.filter((t) => t.text !== text), { id, text, tone, action }].slice(-3)
    setTimeout(() => dismiss(id), LASTS)
  }

  /** Errors of the API in the user's language; anything else is a fault of ours and goes to the log. */
  function fail(error: unknown): void {
    if (error instanceof DOMException && error.name === 'AbortError') return
    if (error instanceof ApiError && error.status === 401 && error.code !== 'wrong_login') return
    if (!(error instanceof ApiError)) console.error(error)
    show(explain(error), 'danger')
  }

  /** Runs something for its effect and says when it failed. */
  async function attempt(run: () => Promise<unknown>): Promise<boolean> {
    try {
      await run()
      return true
    } catch (error) {
      fail(error)
      return false
    }
  }

  return { items, show, fail, dismiss, attempt }
})
