/** Connected channels as everybody may see them. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import type { Fact } from '@/api/facts'
import type { Channel } from '@/api/types'

export const useChannels = defineStore('channels', () => {
  const byId = ref(new Map<string, Channel>())

  const sorted = computed(() => [...byId.value.values()].sort((a, b) => a.name.localeCompare(b.name)))
  const troubled = computed(() => sorted.value.filter((c) => c.state === 'stopped' || (c.state === 'active' && c.error)))

  function take(channels: Channel[]): void {
    byId.value = new Map(channels.map((c) => [c.id, c]))
  }

  function apply(fact: Fact): void {
    if (fact.type === 'channel.removed' && fact.channel_id) byId.value.delete(fact.channel_id)
    else if (fact.channel) put(fact.channel)
  }

  function put(channel: Channel): void {
    byId.value.set(channel.id, channel)
  }

  const kindOf = (id: string | null | undefined) => (id && byId.value.get(id)?.kind) || null
  const nameOf = (id: string | null | undefined) => (id && byId.value.get(id)?.name) || ''

  return { byId, sorted, troubled, take, apply, put, kindOf, nameOf }
})
