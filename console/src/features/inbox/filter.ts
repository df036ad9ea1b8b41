/** The list's filter lives in the address, so that back, reload and a sent link keep it. */

import { computed } from 'vue'
import { useRoute, type RouteLocationRaw } from 'vue-router'
import type { DialogStatus, DialogView } from '@/api/types'
import type { Filter } from '@/state/dialogs'

const STATUSES: DialogStatus[] = ['open', 'snoozed', 'closed']

export function useFilter() {
  const route = useRoute()
  const key = computed(() => {
    const { status, channel, q } = route.query
    return JSON.stringify([route.params.view ?? 'mine', status ?? 'open', channel ?? '', q ?? ''])
  })
  const filter = computed<Filter>(() => {
    const [view, status, channel, q] = JSON.parse(key.value) as [DialogView, DialogStatus, string, string]
    return { view, status: STATUSES.includes(status) ? status : 'open', channel, q }
  })

  const query = (fields: Partial<Filter>) => {
    const f = { ...filter.value, ...fields }
    return { status: f.status === 'open' ? undefined : f.status, channel: f.channel || undefined, q: f.q || undefined }
  }

  const toFilter = (fields: Partial<Filter>): RouteLocationRaw => ({
    name: 'inbox',
    params: { view: fields.view ?? filter.value.view, dialog: (route.params.dialog as string) || undefined },
    query: query(fields),
  })

  const toDialog = (dialog: string | null): RouteLocationRaw => ({
    name: 'inbox', params: { view: filter.value.view, dialog: dialog ?? undefined }, query: query({}),
  })

  return { filter, toFilter, toDialog }
}
