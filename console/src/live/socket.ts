/** The websocket of the live feed: resumes after the last cursor, backs off with jitter. */

import type { Fact, Lane, LaneOut } from '@/api/facts'

export type FeedState = 'connecting' | 'live' | 'offline'

export interface FeedHandlers {
  facts: (facts: Fact[]) => void
  lane: (lane: Lane) => void
  state: (state: FeedState) => void
  resync: () => void
  signedOut: () => void
}

interface Packet {
  facts?: Fact[]
  cursor?: string
  lane?: string
}

const RESYNC = 4409
const SIGNED_OUT = 4401
/** The server pings every 20 s; this long without a word means that the line is dead. */
const SILENCE = 45_000

export const delay = (attempt: number, random = Math.random()) =>
  Math.min(15_000, 500 * 2 ** attempt) * (0.5 + random / 2)

export class Feed {
  private socket: WebSocket | null = null
  private attempt = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private silence: ReturnType<typeof setTimeout> | undefined
  private stopped = true

  constructor(
    private readonly url: (cursor: string) => string,
    private readonly handlers: FeedHandlers,
    private readonly create: (url: string) => WebSocket = (url) => new WebSocket(url),
    public cursor = '',
  ) {}

  start(cursor: string): void {
    this.stop()
    this.stopped = false
    this.cursor = cursor
    this.attempt = 0
    this.connect()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.retry)
    clearTimeout(this.silence)
    const socket = this.socket
    this.socket = null
    socket?.close()
  }

  /** The browser says that the network is back: no reason to wait. */
  hurry(): void {
    if (this.stopped || this.socket) return
    clearTimeout(this.retry)
    this.connect()
  }

  send(lane: LaneOut): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(lane))
  }

  private connect(): void {
    this.handlers.state(this.attempt > 0 ? 'offline' : 'connecting')
    const socket = this.create(this.url(this.cursor))
    this.socket = socket
    this.listenForSilence(socket)
    socket.onopen = () => this.handlers.state('live')
    socket.onmessage = (event) => this.socket === socket && this.take(String(event.data), socket)
    socket.onclose = (event) => this.socket === socket && this.closed(event.code)
  }

  private take(text: string, socket: WebSocket): void {
    this.listenForSilence(socket)
    this.attempt = 0 // only now: who is refused is let in first, to be told why
    const packet = JSON.parse(text) as Packet
    if (packet.lane) this.handlers.lane(packet as Lane)
    if (packet.facts?.length) this.handlers.facts(packet.facts)
    if (packet.cursor) this.cursor = packet.cursor
  }

  private listenForSilence(socket: WebSocket): void {
    clearTimeout(this.silence)
    this.silence = setTimeout(() => {
      if (this.socket !== socket) return
      socket.close()
      this.closed(1006)
    }, SILENCE)
  }

  private closed(code: number): void {
    this.socket = null
    clearTimeout(this.silence)
    if (this.stopped) return
    if (code === SIGNED_OUT) {
      this.stopped = true
      this.handlers.signedOut()
    } else if (code === RESYNC) {
      this.stopped = true
      this.handlers.resync()
    } else this.later()
  }

  private later(): void {
    this.attempt += 1
    this.handlers.state('offline')
    this.retry = setTimeout(() => this.connect(), delay(this.attempt))
  }
}
