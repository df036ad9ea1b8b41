/** Cards of customers: their own words, contacts and earlier dialogs. */

import { defineStore } from 'pinia'
import { ref } from 'vue'
import { customers as api, tasks as tasksApi } from '@/api/client'
import type { Fact } from '@/api/facts'
import type { CustomerCard } from '@/api/types'
import { router } from '@/router'
import { useDialogs } from './dialogs'
import { useTasks } from './tasks'

const RENEWED = /^(identity\.|customer\.(un)?merged$)/

export const useCustomers = defineStore('customers', () => {
  const cards = ref(new Map<string, CustomerCard>())
  const tasks = useTasks()
  const dialogs = useDialogs()

  const get = (id: string | null | undefined) => (id ? cards.value.get(id) : undefined)

  async function load(id: string): Promise<void> {
    const mark = tasks.mark()
    const [card, own] = await Promise.all([
      api.get(id), tasksApi.list({ view: 'all', status: 'any', customer_id: id, limit: 50 }),
    ])
    cards.value.set(card.id, card)
    if (card.id !== id) follow(id, card.id)
    tasks.seed(own.items, mark)
    for (const dialog of card.dialogs) if (!dialogs.get(dialog.id)) dialogs.state.byId.set(dialog.id, dialog)
  }

  async function change(id: string, fields: Partial<CustomerCard>): Promise<void> {
    const before = get(id)
    if (before) cards.value.set(id, { ...before, ...fields })
    try {
      const answer = await api.change(id, fields)
      const card = get(id)
      if (card) cards.value.set(id, { ...card, ...answer })
    } catch (error) {
      if (before) cards.value.set(id, before)
      throw error
    }
  }

  function apply(fact: Fact): void {
    if (fact.type === 'customer.merged') follow(fact.data.merged_id as string, fact.customer_id!)
    const card = get(fact.customer_id)
    if (!card) return
    if (fact.customer) cards.value.set(card.id, { ...card, ...fact.customer })
    if (fact.dialog) putDialog(card.id, fact)
    if (RENEWED.test(fact.type)) void load(card.id).catch(() => {})
  }

  /** Whoever looks at somebody who was merged goes on with the one who was kept. */
  function follow(merged: string, kept: string): void {
    cards.value.delete(merged)
    if (router.currentRoute.value.params.customer === merged) void router.replace(`/customers/${kept}`)
  }

  function putDialog(id: string, fact: Fact): void {
    const card = get(id)!
    const dialog = fact.dialog!
    const rest = card.dialogs.filter((d) => d.id !== dialog.id)
    cards.value.set(id, { ...card, dialogs: [...rest, dialog].sort((a, b) => b.number - a.number) })
  }

  function clear(): void {
    cards.value = new Map()
  }

  return { cards, get, load, change, apply, clear }
})
