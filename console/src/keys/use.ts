/** One listener for the whole page; the component mounted last gets a key first. */

import { onBeforeUnmount, onMounted } from 'vue'
import { actionOf, isTyping, type Action } from './map'

/** Returns false when it does not want the key after all. */
type Handler = (event: KeyboardEvent) => boolean | void
type Handlers = Partial<Record<Action, Handler>>

const stack: Handlers[] = []

/** A menu, a popover or a dialog has the keyboard while it is open. */
const floating = () => document.querySelector('[data-floating], [role="menu"][data-state="open"]') !== null

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.repeat && !/^Key[JK]$/.test(event.code)) return
  const typing = isTyping(event.target)
  const action = actionOf(event, typing)
  if (!action || (floating() && action !== 'palette')) return
  if (action === 'open' && event.target !== document.body) return
  for (const handlers of [...stack].reverse()) {
    const handler = handlers[action]
    if (handler && handler(event) !== false) {
      event.preventDefault()
      return
    }
  }
}

let listening = false

export function useKeys(handlers: Handlers): void {
  onMounted(() => {
    stack.push(handlers)
    if (!listening) window.addEventListener('keydown', pressed)
    listening = true
  })
  onBeforeUnmount(() => stack.splice(stack.indexOf(handlers), 1))
}
