/** Joins the feed to the stores: snapshot first, then every fact in order. */

import { session as api } from '@/api/client'
import { BASE } from '@/api/http'
import type { Fact, LaneOut } from '@/api/facts'
import type { Channel } from '@/api/types'
import { i18n } from '@/i18n'
import { router } from '@/router'
import { useChannels } from '@/stores/channels'
import { useCustomers } from '@/stores/customers'
import { useDialogs } from '@/stores/dialogs'
import { usePeople } from '@/stores/people'
import { usePresence } from '@/stores/presence'
import { useSession } from '@/stores/session'
import { useTasks } from '@/stores/tasks'
import { useThreads } from '@/stores/threads'
import { useToasts } from '@/stores/toasts'
import { ring } from './sound'
import { Feed } from './socket'

const RECOUNTED = /^(dialog\.(opened|reopened|closed|assigned|snoozed|woken|hidden)|task\.)/
const RECOUNT_AFTER = 4000

function address(cursor: string): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return `${scheme}://${location.host}${BASE}/live?after=${encodeURIComponent(cursor)}`
}

let feed: Feed | null = null
let recounting: ReturnType<typeof setTimeout> | undefined

export function applyFacts(facts: Fact[]): void {
  const stores = [usePeople(), useChannels(), useDialogs(), useThreads(), useTasks(), useCustomers()]
  for (const fact of facts) {
    const before = fact.channel ? useChannels().byId.get(fact.channel.id)?.state : undefined
    for (const store of stores) store.apply(fact)
    if (fact.agent && fact.agent.id === useSession().me?.id) updateMe(fact)
    if (RECOUNTED.test(fact.type)) recountSoon()
    if (fact.type === 'message.created') arrived(fact)
    if (fact.type === 'channel.changed') warned(fact, before)
  }
}

/** An administrator hears at once that a channel stopped: nothing comes or goes until he acts. */
function warned(fact: Fact, before: Channel['state'] | undefined): void {
  const { channel } = fact
  if (!channel || channel.state !== 'stopped' || before === 'stopped' || !useSession().isAdmin) return
  const { t, te } = i18n.global
  const key = `reasons.${channel.error_code ?? ''}`
  const reason = te(key) ? t(key) : (channel.error ?? '')
  useToasts().show(t('channels.stoppedNow', { name: channel.name, reason }), 'danger', {
    label: t('channels.look'), run: () => void router.push(`/settings/channels/${channel.id}`),
  })
}

function updateMe(fact: Fact): void {
  const session = useSession()
  if (session.me && fact.agent) session.me = { ...session.me, ...fact.agent }
}

function arrived(fact: Fact): void {
  const message = fact.message
  if (!message) return
  const inbound = message.direction === 'in'
  usePresence().stopped(message.dialog_id, inbound ? 'customer' : (message.author_id ?? ''))
  if (inbound) ring(fact.dialog?.assignee_id ?? null)
}

/** Counters of dialogs this browser has never loaded can only come from the server. */
function recountSoon(): void {
  if (recounting) return
  recounting = setTimeout(async () => {
    recounting = undefined
    const session = useSession()
    if (session.phase !== 'ready') return
    session.counts = (await api.sync().catch(() => null))?.counts ?? session.counts
  }, RECOUNT_AFTER * (0.75 + Math.random() / 2))
}

async function snapshot(): Promise<string> {
  const data = await api.sync()
  usePeople().take(data)
  useChannels().take(data.channels)
  useSession().take(data)
  return data.cursor
}

async function resync(): Promise<void> {
  try {
    const cursor = await snapshot()
    feed?.start(cursor)
    const tasks = useTasks()
    tasks.clear()
    useCustomers().clear()
    await Promise.all([useDialogs().reload(), useThreads().reload(), tasks.open(tasks.filter)])
  } catch {
    if (useSession().phase === 'ready') setTimeout(() => void resync(), 3000)
  }
}

export async function startDesk(): Promise<void> {
  const cursor = await snapshot()
  const session = useSession()
  feed ??= new Feed(address, {
    facts: applyFacts,
    lane: (lane) => usePresence().take(lane),
    state: (state) => {
      session.feed = state
      if (state === 'live') for (const lane of standing.values()) feed?.send(lane)
    },
    resync: () => void resync(),
    signedOut: () => session.leave(),
  })
  feed.start(cursor)
  void useDialogs().prime().catch(() => {})
}

export function stopDesk(): void {
  feed?.stop()
  useDialogs().clear()
  useThreads().clear()
  useTasks().clear()
  useCustomers().clear()
  usePresence().clear()
}

export const hurry = () => feed?.hurry()

/** What I look at and whether I am here must be said again after every reconnection. */
const standing = new Map<string, LaneOut>()

export function tell(lane: LaneOut): void {
  if (lane.lane !== 'typing') standing.set(lane.lane, lane)
  feed?.send(lane)
}
