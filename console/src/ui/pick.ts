/** Items to pick from, and finding them by a few letters. */

import type { Component } from 'vue'

export interface PickItem {
  id: string
  label: string
  hint?: string
  group?: string
  icon?: Component
  chosen?: boolean
  /** The label in pieces, of which some are what was looked for. */
  parts?: { text: string; match: boolean }[]
  /** Further words by which it is found. */
  words?: string
  /** Found by the server: shown whatever is typed. */
  always?: boolean
}

export function filterItems(items: PickItem[], query: string): PickItem[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return items
  return items.filter((item) => {
    const text = `${item.label} ${item.words ?? ''}`.toLowerCase()
    return item.always || words.every((w) => text.includes(w))
  })
}
