/** The lane that may drop: who types, who looks at a dialog, who is here. */

import { defineStore } from 'pinia'
import { ref } from 'vue'
import type { Lane } from '@/api/facts'

const TYPING_LASTS = 6000

export interface Typing {
  who: string
  note: boolean
}

export const usePresence = defineStore('presence', () => {
  const typing = ref(new Map<string, Typing[]>())
  const viewing = ref(new Map<string, string[]>())
  const agents = ref<Record<string, 'active' | 'away'>>({})
  const timers = new Map<string, ReturnType<typeof setTimeout>>()

  function stopped(dialog: string, who: string): void {
    typing.value.set(dialog, (typing.value.get(dialog) ?? []).filter((t) => t.who !== who))
  }

  function typed(dialog: string, entry: Typing): void {
    stopped(dialog, entry.who)
    typing.value.get(dialog)!.push(entry)
    const key = `${dialog}:${entry.who}`
    clearTimeout(timers.get(key))
    timers.set(key, setTimeout(() => stopped(dialog, entry.who), TYPING_LASTS))
  }

  function take(lane: Lane): void {
    if (lane.lane === 'typing') {
      typed(lane.dialog_id, { who: lane.customer ? 'customer' : (lane.agent_id ?? ''), note: Boolean(lane.note) })
    } else if (lane.lane === 'viewing') viewing.value.set(lane.dialog_id, lane.agent_ids)
    else if (lane.lane === 'presence') agents.value = lane.agents
  }

  function clear(): void {
    typing.value = new Map()
    viewing.value = new Map()
    agents.value = {}
  }

  return { typing, viewing, agents, take, stopped, clear }
})
