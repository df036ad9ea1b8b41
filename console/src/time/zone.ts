/** Wall-clock arithmetic in a named time zone, without a library. */

export interface Wall {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  /** 1 Monday … 7 Sunday */
  weekday: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone)
  if (!found) {
    found = new Intl.DateTimeFormat('en-US', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
      hour: 'numeric', minute: 'numeric', second: 'numeric',
    })
    formats.set(zone, found)
  }
  return found
}

export function wall(at: Date, zone: string): Wall {
  const parts = Object.fromEntries(format(zone).formatToParts(at).map((p) => [p.type, Number(p.value)]))
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts as Record<string, number>
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay() || 7
  return { year, month, day, hour, minute, weekday }
}

function offset(at: number, zone: string): number {
  const w = wall(new Date(at), zone)
  return Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute) - Math.floor(at / 60_000) * 60_000
}

/** The moment at which the clock of `zone` shows this; days may overflow the month. */
export function moment(year: number, month: number, day: number, hour: number, minute: number, zone: string): Date {
  const naive = Date.UTC(year, month - 1, day, hour, minute)
  const guess = naive - offset(naive, zone)
  return new Date(naive - offset(guess, zone))
}

export function dayKey(at: Date, zone: string): string {
  const w = wall(at, zone)
  return `${w.year}-${String(w.month).padStart(2, '0')}-${String(w.day).padStart(2, '0')}`
}

/** `2026-03-01T18:00` for an `<input type="datetime-local">`, and back. */
export function toInput(at: Date, zone: string): string {
  const w = wall(at, zone)
  return `${dayKey(at, zone)}T${String(w.hour).padStart(2, '0')}:${String(w.minute).padStart(2, '0')}`
}

export function fromInput(value: string, zone: string): Date | null {
  const m = /^(\d{4,5})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(value)
  if (!m) return null
  return moment(Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4]), Number(m[5]), zone)
}

export function validZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}
