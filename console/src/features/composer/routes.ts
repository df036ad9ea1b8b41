/** Where a reply may go: the customer's contacts, each over the channels it wrote by. */

import type { Channel, ChannelKind, CustomerCard, Identity } from '@/api/types'
import type { ThreadMessage } from '@/state/threads'

export interface Route {
  key: string
  identity: string
  channel: string
  kind: ChannelKind
  /** The contact in the platform's own terms. */
  contact: string
  channelName: string
  usable: boolean
  why: '' | 'unreachable' | 'paused'
}

const contactOf = (i: Identity) => (i.kind === 'email' ? i.external_id : i.username ? `@${i.username}` : i.name)

function route(identity: Identity, channel: Channel): Route {
  const why = !identity.reachable ? 'unreachable' : channel.state !== 'active' ? 'paused' : ''
  return {
    key: `${identity.id}:${channel.id}`, identity: identity.id, channel: channel.id, kind: channel.kind,
    contact: contactOf(identity), channelName: channel.name, usable: why !== 'unreachable', why,
  }
}

function channelsOf(identity: Identity, channels: Map<string, Channel>): Channel[] {
  const used = identity.channels.map((c) => channels.get(c.channel_id)).filter((c) => c !== undefined)
  if (used.length) return used
  return [...channels.values()].filter((c) => c.kind === identity.kind && c.capabilities.can_initiate)
}

export function routesOf(card: CustomerCard | undefined, channels: Map<string, Channel>): Route[] {
  if (!card) return []
  return card.identities.flatMap((i) => channelsOf(i, channels).map((c) => route(i, c)))
}

/** Where the customer last wrote; the agent's own choice goes before it. */
export function currentRoute(routes: Route[], chosen: string | null, items: ThreadMessage[], fallback: string): Route | undefined {
  const own = routes.find((r) => r.key === chosen)
  if (own) return own
  const last = items.findLast((m) => m.direction === 'in')
  return (
    routes.find((r) => r.identity === last?.identity_id && r.channel === last?.channel_id) ??
    routes.find((r) => r.channel === fallback) ?? routes[0]
  )
}
