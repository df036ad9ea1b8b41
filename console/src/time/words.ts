/** Times as people say them: relative up to an hour, then the clock, then the date. */

import { dayKey } from './zone'

const MINUTE = 60_000
const DAY = 86_400_000

export interface Speech {
  locale: string
  zone: string
  now: Date
}

const cache = new Map<string, Intl.DateTimeFormat>()

function formatter(locale: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale}|${zone}|${JSON.stringify(options)}`
  let found = cache.get(key)
  if (!found) {
    found = new Intl.DateTimeFormat(locale, { timeZone: zone, ...options })
    cache.set(key, found)
  }
  return found
}

export function clock(at: Date, { locale, zone }: Speech): string {
  return formatter(locale, zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at)
}

export function shortDate(at: Date, { locale, zone, now }: Speech): string {
  const sameYear = dayKey(at, zone).slice(0, 4) === dayKey(now, zone).slice(0, 4)
  const year = sameYear ? undefined : '2-digit'
  return formatter(locale, zone, { day: 'numeric', month: 'short', year }).format(at).replace('.', '')
}

export function exact(at: Date, { locale, zone }: Speech): string {
  return formatter(locale, zone, {
    day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
    hourCycle: 'h23',
  }).format(at)
}

function dayDistance(at: Date, speech: Speech): number {
  const from = Date.parse(dayKey(speech.now, speech.zone))
  return Math.round((Date.parse(dayKey(at, speech.zone)) - from) / DAY)
}

/** Time of a row: minutes within the hour, the clock today, else the date. */
export function brief(at: Date, speech: Speech): string {
  const passed = speech.now.getTime() - at.getTime()
  const relative = new Intl.RelativeTimeFormat(speech.locale, { numeric: 'auto', style: 'short' })
  if (Math.abs(passed) < MINUTE) return relative.format(0, 'second')
  if (passed > 0 && passed < 60 * MINUTE) return relative.format(-Math.floor(passed / MINUTE), 'minute').replace('.', '')
  if (dayDistance(at, speech) === 0) return clock(at, speech)
  return shortDate(at, speech)
}

/** A moment ahead or behind with its clock: "tomorrow, 08:00", "3 Mar, 18:00". */
export function dated(at: Date, speech: Speech): string {
  const days = dayDistance(at, speech)
  const time = clock(at, speech)
  if (days === 0) return time
  if (Math.abs(days) > 1) return `${shortDate(at, speech)}, ${time}`
  return `${new Intl.RelativeTimeFormat(speech.locale, { numeric: 'auto' }).format(days, 'day')}, ${time}`
}

export function dayTitle(at: Date, speech: Speech): string {
  const days = dayDistance(at, speech)
  if (days === 0 || days === -1) {
    const word = new Intl.RelativeTimeFormat(speech.locale, { numeric: 'auto' }).format(days, 'day')
    return word.charAt(0).toUpperCase() + word.slice(1)
  }
  const sameYear = dayKey(at, speech.zone).slice(0, 4) === dayKey(speech.now, speech.zone).slice(0, 4)
  return formatter(speech.locale, speech.zone, {
    weekday: Math.abs(days) < 7 ? 'long' : undefined, day: 'numeric', month: 'long',
    year: sameYear ? undefined : 'numeric',
  }).format(at)
}

export interface Span {
  unit: 'minutes' | 'hours' | 'days'
  count: number
}

/** How long something lasts, in the largest unit that is at least one. */
export function span(ms: number): Span {
  const minutes = Math.max(0, Math.floor(ms / MINUTE))
  if (minutes < 60) return { unit: 'minutes', count: minutes }
  if (minutes < 48 * 60) return { unit: 'hours', count: Math.floor(minutes / 60) }
  return { unit: 'days', count: Math.floor(minutes / 1440) }
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** Warmth of waiting: 0 nobody waits, 1 fresh, 2 half of the norm, 3 past it, 4 past twice. */
export function warmth(since: string | null, now: Date, normMinutes = 15): 0 | 1 | 2 | 3 | 4 {
  if (!since) return 0
  const share = (now.getTime() - Date.parse(since)) / (normMinutes * MINUTE)
  return share < 0.5 ? 1 : share < 1 ? 2 : share < 2 ? 3 : 4
}
