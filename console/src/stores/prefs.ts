/** What this browser remembers about how the agent likes his desk. */

import { useLocalStorage, usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watchEffect } from 'vue'

export type Theme = 'auto' | 'light' | 'dark'

export const usePrefs = defineStore('prefs', () => {
  const theme = useLocalStorage<Theme>('otklik.theme', 'auto')
  const compact = useLocalStorage('otklik.compact', false)
  const sound = useLocalStorage('otklik.sound', false)
  const cardShown = useLocalStorage('otklik.card', true)
  const listWidth = useLocalStorage('otklik.listWidth', 348)
  const systemDark = usePreferredDark()
  const dark = computed(() => theme.value === 'dark' || (theme.value === 'auto' && systemDark.value))

  watchEffect(() => {
    document.documentElement.dataset.theme = dark.value ? 'dark' : 'light'
  })

  return { theme, compact, sound, cardShown, listWidth, dark }
})
