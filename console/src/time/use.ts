/** The shared clock of the page: ticks every ten seconds, and speaks the agent's language and zone. */

import { computed, ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useSession } from '@/stores/session'
import { span, type Speech } from './words'

const now = ref(new Date())
let started = false

function start(): void {
  if (started) return
  started = true
  setInterval(() => (now.value = new Date()), 10_000)
}

export function useSpeech() {
  start()
  const session = useSession()
  const { locale, t } = useI18n()
  const speech = computed<Speech>(() => ({ locale: locale.value, zone: session.zone, now: now.value }))

  function lasting(ms: number): string {
    const { unit, count } = span(ms)
    if (unit === 'minutes' && count === 0) return t('time.moment')
    return t(`time.${unit}`, { n: count }, count)
  }

  return { speech, now, lasting }
}
