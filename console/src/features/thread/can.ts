/** What may be done with a message beside answering it, and why not. */

import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import type { ThreadMessage } from '@/state/threads'
import { useChannels } from '@/stores/channels'
import { useSession } from '@/stores/session'

export type Deed = 'edit' | 'delete' | 'react'

/** `null`: not for such messages; empty: it may be done; else the reason why not. */
export function useCan(message: () => ThreadMessage) {
  const { t } = useI18n()
  const channels = useChannels()
  const session = useSession()
  const able = computed(() => channels.byId.get(message().channel_id ?? '')?.capabilities)

  function here(deed: Deed): string {
    const can = able.value
    if (!can?.acts.includes(deed)) return t('thread.cannot.channel')
    const hours = hoursOf(deed === 'edit' ? can.edit_within : deed === 'delete' ? can.delete_within : null)
    const since = Date.now() - Date.parse(message().sent_at ?? message().created_at)
    return hours !== null && since > hours * 3_600_000 ? t('thread.cannot.late', { n: hours }) : ''
  }

  function why(deed: Deed): string | null {
    const { direction, status, author_id, deleted_at, local } = message()
    if (local || deleted_at || direction === 'system' || (direction === 'in' && deed !== 'react')) return null
    if (deed === 'react') return direction === 'in' ? here(deed) : null
    if (author_id !== session.me?.id && session.me?.role === 'agent') return t('thread.cannot.others')
    if (direction === 'note') return ''
    if (status === 'queued') return deed === 'edit' ? '' : null
    if (status !== 'sent' && status !== 'delivered' && status !== 'read') return status === 'sending' ? t('thread.cannot.unsent') : null
    return here(deed)
  }

  const emojis = computed(() => able.value?.emojis ?? [])
  return { why, emojis }
}

/** Hours of an ISO 8601 duration, as the API writes how long something is allowed. */
export function hoursOf(duration: string | null | undefined): number | null {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(duration ?? '')
  if (!found) return null
  const [days, hours, minutes, seconds] = found.slice(1).map((n) => Number(n ?? 0)) as [number, number, number, number]
  return days * 24 + hours + minutes / 60 + seconds / 3600
}
