/** The moments offered for snoozing and for deadlines. */

import { moment, wall } from './zone'

export interface Preset {
  key: string
  at: Date | null
}

const HOUR = 3_600_000

function dayAt(now: Date, zone: string, days: number, hour: number): Date {
  const w = wall(now, zone)
  return moment(w.year, w.month, w.day + days, hour, 0, zone)
}

function nextMonday(now: Date, zone: string, hour: number): Date {
  return dayAt(now, zone, 8 - wall(now, zone).weekday, hour)
}

/** Working days are Monday to Friday. */
export function nextWorkingMorning(now: Date, zone: string): Date {
  const { weekday } = wall(now, zone)
  return dayAt(now, zone, weekday >= 5 ? 8 - weekday : 1, 8)
}

export function snoozePresets(now: Date, zone: string): Preset[] {
  const { hour, weekday } = wall(now, zone)
  const found: Preset[] = [
    { key: 'reply', at: null },
    { key: 'hour', at: new Date(now.getTime() + HOUR) },
    { key: 'three', at: new Date(now.getTime() + 3 * HOUR) },
  ]
  if (hour < 16) found.push({ key: 'evening', at: dayAt(now, zone, 0, 18) })
  found.push({ key: 'tomorrow', at: dayAt(now, zone, 1, 9) })
  if (weekday !== 7) found.push({ key: 'monday', at: nextMonday(now, zone, 9) })
  return found
}

export function deadlinePresets(now: Date, zone: string): Preset[] {
  const { hour, weekday } = wall(now, zone)
  const found: Preset[] = []
  if (hour < 17) found.push({ key: 'today', at: dayAt(now, zone, 0, 18) })
  found.push({ key: 'tomorrow', at: dayAt(now, zone, 1, 8) })
  if (weekday !== 7) found.push({ key: 'monday', at: nextMonday(now, zone, 8) })
  found.push({ key: 'week', at: dayAt(now, zone, 7, 8) })
  return found
}
