/** Who I am, what the server told at the start, and whether the line is up. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { session as api } from '@/api/client'
import { ApiError } from '@/api/http'
import type { Counts, Me, Snapshot } from '@/api/types'
import type { FeedState } from '@/live/socket'

const NO_COUNTS: Counts = { mine: 0, unassigned: 0, team: 0, all: 0, tasks_mine: 0, tasks_overdue: 0 }

export const useSession = defineStore('session', () => {
  const me = ref<Me | null>(null)
  const phase = ref<'unknown' | 'guest' | 'password' | 'ready'>('unknown')
  const counts = ref<Counts>({ ...NO_COUNTS })
  const settings = ref<Snapshot['settings']>({ undo_seconds: 5, max_file_bytes: 20_000_000, version: '' })
  const feed = ref<FeedState>('connecting')

  const isAdmin = computed(() => me.value?.role === 'admin')
  const zone = computed(() => me.value?.time_zone || 'Europe/Moscow')

  function take(snapshot: Snapshot): void {
    me.value = snapshot.me
    counts.value = snapshot.counts
    settings.value = snapshot.settings
    phase.value = snapshot.me.must_change_password ? 'password' : 'ready'
  }

  function leave(): void {
    me.value = null
    phase.value = 'guest'
    counts.value = { ...NO_COUNTS }
  }

  async function login(email: string, password: string): Promise<void> {
    me.value = await api.login(email, password)
    phase.value = me.value.must_change_password ? 'password' : 'unknown'
  }

  async function logout(everywhere = false): Promise<void> {
    try {
      if (everywhere) await api.logoutEverywhere() // keeps this browser's own session
      await api.logout()
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
    }
    leave()
  }

  async function change(fields: Record<string, unknown>): Promise<void> {
    me.value = await api.change(fields)
  }

  return { me, phase, counts, settings, feed, isAdmin, zone, take, leave, login, logout, change }
})
