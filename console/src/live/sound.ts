/** One soft tone for a message to me; off unless the agent turned it on. */

import { usePrefs } from '@/stores/prefs'
import { useSession } from '@/stores/session'

let context: AudioContext | null = null
let last = 0

function tone(): void {
  context ??= new AudioContext()
  const gain = context.createGain()
  const start = context.currentTime
  gain.gain.setValueAtTime(0.0001, start)
  gain.gain.exponentialRampToValueAtTime(0.08, start + 0.02)
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.5)
  gain.connect(context.destination)
  const oscillator = context.createOscillator()
  oscillator.frequency.value = 660
  oscillator.connect(gain)
  oscillator.start(start)
  oscillator.stop(start + 0.5)
}

export function ring(assignee: string | null): void {
  if (!usePrefs().sound || Date.now() - last < 3000) return
  if (assignee !== null && assignee !== useSession().me?.id) return
  last = Date.now()
  tone()
}
