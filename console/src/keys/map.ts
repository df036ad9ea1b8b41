/** The keyboard map. Keys are physical, so they work in the Russian layout too. */

export const KEYS = {
  next: 'KeyJ',
  previous: 'KeyK',
  open: 'Enter',
  reply: 'KeyR',
  note: 'KeyN',
  task: 'KeyT',
  assign: 'KeyA',
  snooze: 'KeyS',
  close: 'KeyE',
  search: 'Slash',
  card: 'KeyI',
  goInbox: 'Digit1',
  goTasks: 'Digit2',
  goCustomers: 'Digit3',
} as const

export type Action = keyof typeof KEYS | 'palette' | 'help' | 'escape'

export function label(action: Action): string {
  if (action === 'palette') return /Mac/.test(navigator.platform) ? '⌘K' : 'Ctrl K'
  if (action === 'help') return '?'
  if (action === 'escape') return 'Esc'
  const code = KEYS[action]
  if (code === 'Slash') return '/'
  return code.replace(/^(Key|Digit)/, '')
}

type Press = Pick<KeyboardEvent, 'code' | 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>

/** What a key press asks for; `typing` is true while the focus is in a field. */
export function actionOf(press: Press, typing: boolean): Action | null {
  if ((press.ctrlKey || press.metaKey) && press.code === 'KeyK') return 'palette'
  if (press.code === 'Escape') return 'escape'
  if (typing || press.ctrlKey || press.metaKey || press.altKey) return null
  if (press.shiftKey) return press.code === 'Slash' || press.key === '?' ? 'help' : null
  const found = Object.entries(KEYS).find(([, code]) => code === press.code)
  return found ? (found[0] as Action) : null
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}
