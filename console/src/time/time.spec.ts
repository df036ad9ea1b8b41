import { expect, it } from 'vitest'
import { deadlinePresets, nextWorkingMorning, snoozePresets } from './presets'
import { brief, clock, dated, dayTitle, duration, span, warmth } from './words'
import { dayKey, fromInput, moment, toInput, validZone, wall } from './zone'

const ru = (now: string, zone = 'Europe/Moscow') => ({ locale: 'ru', zone, now: new Date(now) })

it('counts in the named zone, over changes of the clock', () => {
  expect(wall(new Date('2026-03-01T22:30:00Z'), 'Europe/Moscow')).toMatchObject({ day: 2, hour: 1, weekday: 1 })
  expect(moment(2026, 3, 29, 8, 0, 'Europe/Berlin').toISOString()).toBe('2026-03-29T06:00:00.000Z')
  expect(moment(2026, 3, 28, 8, 0, 'Europe/Berlin').toISOString()).toBe('2026-03-28T07:00:00.000Z')
  expect(moment(2026, 1, 32, 0, 0, 'UTC').toISOString()).toBe('2026-02-01T00:00:00.000Z')
  expect(dayKey(new Date('2026-03-01T22:30:00Z'), 'Asia/Vladivostok')).toBe('2026-03-02')
})

it('goes to an input field and back', () => {
  const at = new Date('2026-07-05T15:20:00Z')
  expect(toInput(at, 'Asia/Kolkata')).toBe('2026-07-05T20:50')
  expect(fromInput('2026-07-05T20:50', 'Asia/Kolkata')).toEqual(at)
  expect(fromInput('nonsense', 'UTC')).toBeNull()
  expect([validZone('Europe/Moscow'), validZone('Mars/North')]).toEqual([true, false])
})

it('offers the next working morning at eight', () => {
  const at = (iso: string) => nextWorkingMorning(new Date(iso), 'Europe/Moscow').toISOString()
  expect(at('2026-03-05T10:00:00Z')).toBe('2026-03-06T05:00:00.000Z')
  expect(at('2026-03-06T10:00:00Z')).toBe('2026-03-09T05:00:00.000Z')
  expect(at('2026-03-07T10:00:00Z')).toBe('2026-03-09T05:00:00.000Z')
  expect(at('2026-03-08T10:00:00Z')).toBe('2026-03-09T05:00:00.000Z')
})

it('offers the evening only while it is far, and Monday only when it is not tomorrow', () => {
  const keys = (iso: string) => snoozePresets(new Date(iso), 'UTC').map((p) => p.key)
  expect(keys('2026-03-05T10:00:00Z')).toEqual(['reply', 'hour', 'three', 'evening', 'tomorrow', 'monday'])
  expect(keys('2026-03-08T19:00:00Z')).toEqual(['reply', 'hour', 'three', 'tomorrow'])
  expect(deadlinePresets(new Date('2026-03-05T10:00:00Z'), 'UTC').every((p) => p.at!.getTime() > Date.parse('2026-03-05T10:00:00Z'))).toBe(true)
})

it('speaks of times as people do', () => {
  const speech = ru('2026-03-05T10:00:00Z')
  expect(brief(new Date('2026-03-05T09:59:30Z'), speech)).toBe('сейчас')
  expect(brief(new Date('2026-03-05T09:40:00Z'), speech)).toBe('20 мин назад')
  expect(brief(new Date('2026-03-05T06:40:00Z'), speech)).toBe('09:40')
  expect(brief(new Date('2026-02-20T06:40:00Z'), speech)).toBe('20 февр')
  expect(dated(new Date('2026-03-06T05:00:00Z'), speech)).toBe('завтра, 08:00')
  expect(dayTitle(new Date('2026-03-04T10:00:00Z'), speech)).toBe('Вчера')
  expect(clock(new Date('2026-03-05T21:05:00Z'), speech)).toBe('00:05')
  expect(duration(65)).toBe('1:05')
  expect([span(59_000), span(61 * 60_000), span(50 * 3_600_000)]).toEqual([{ unit: 'minutes', count: 0 }, { unit: 'hours', count: 1 }, { unit: 'days', count: 2 }])
})

it('warms as the norm runs out', () => {
  const now = new Date('2026-03-05T10:00:00Z')
  const at = (minutes: number) => warmth(new Date(now.getTime() - minutes * 60_000).toISOString(), now)
  expect([warmth(null, now), at(1), at(8), at(16), at(31)]).toEqual([0, 1, 2, 3, 4])
})
