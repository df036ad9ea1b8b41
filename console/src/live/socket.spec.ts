import { beforeEach, expect, it, vi } from 'vitest'
import { fact } from '@/state/fixtures'
import { delay, Feed, type FeedState } from './socket'

class Line {
  readyState = 1
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  sent: string[] = []
  constructor(readonly url: string) {}
  send(text: string) { this.sent.push(text) }
  close() { this.readyState = 3 }
}

let lines: Line[]
let states: FeedState[]
let seen: string[]
const resync = vi.fn()
const signedOut = vi.fn()

function feed(): Feed {
  return new Feed((cursor) => `ws://x?after=${cursor}`, {
    facts: (facts) => seen.push(...facts.map((f) => f.type)), lane: () => {}, state: (s) => states.push(s), resync, signedOut,
  }, (url) => { const line = new Line(url); lines.push(line); return line as unknown as WebSocket })
}

const give = (line: Line, packet: unknown) => line.onmessage?.({ data: JSON.stringify(packet) })

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  states = []
  seen = []
  resync.mockReset()
  signedOut.mockReset()
})

it('resumes after the last cursor it took, with a growing delay', () => {
  const live = feed()
  live.start('a')
  lines[0]!.onopen?.()
  give(lines[0]!, { facts: [fact('dialog.opened')], cursor: 'b' })
  lines[0]!.onclose?.({ code: 1006 })
  expect(states.at(-1)).toBe('offline')
  vi.advanceTimersByTime(15_000)
  expect(lines.map((l) => l.url)).toEqual(['ws://x?after=a', 'ws://x?after=b'])
  expect(seen).toEqual(['dialog.opened'])
  lines[1]!.onopen?.()
  expect(states.at(-1)).toBe('live')
})

it('takes everything anew when it is told to, and does not reconnect by itself', () => {
  const live = feed()
  live.start('a')
  lines[0]!.onclose?.({ code: 4409 })
  vi.advanceTimersByTime(60_000)
  expect(resync).toHaveBeenCalledOnce()
  expect(lines).toHaveLength(1)
})

it('gives up when the session has ended', () => {
  feed().start('a')
  lines[0]!.onclose?.({ code: 4401 })
  vi.advanceTimersByTime(60_000)
  expect(signedOut).toHaveBeenCalledOnce()
  expect(lines).toHaveLength(1)
})

it('leaves a line that has been silent too long, and listens no more to it', () => {
  feed().start('a')
  lines[0]!.onopen?.()
  give(lines[0]!, { ping: 1 })
  vi.advanceTimersByTime(44_000)
  give(lines[0]!, { ping: 1 })
  vi.advanceTimersByTime(44_000)
  expect(lines).toHaveLength(1)
  vi.advanceTimersByTime(17_000)
  expect(lines).toHaveLength(2)
  give(lines[0]!, { facts: [fact('late')], cursor: 'z' })
  expect(seen).toEqual([])
})

it('waits longer while it is let in only to be refused', () => {
  feed().start('a')
  for (let tries = 0; tries < 200; tries++) {
    lines.at(-1)!.onopen?.()
    lines.at(-1)!.onclose?.({ code: 4429 })
    vi.advanceTimersByTime(1000)
  }
  expect(lines.length).toBeLessThan(40)
})

it('hurries when the network is back', () => {
  const live = feed()
  live.start('a')
  lines[0]!.onclose?.({ code: 1006 })
  live.hurry()
  live.hurry()
  expect(lines).toHaveLength(2)
  vi.advanceTimersByTime(20_000)
  expect(lines).toHaveLength(2)
})

it('waits longer each time, never all at once, never too long', () => {
  expect(delay(1, 0)).toBe(500)
  expect(delay(1, 1)).toBe(1000)
  expect(delay(30, 1)).toBe(15_000)
})
