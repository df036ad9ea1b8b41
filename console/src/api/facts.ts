/** Facts of the live feed. OpenAPI does not describe websockets, so these are written by hand. */

import type { Agent, Channel, Customer, Dialog, Message, Task, Team } from './types'

export interface Fact {
  cursor: string
  type: string
  at: string
  actor: { kind: 'agent' | 'customer' | 'system'; id: string | null }
  customer_id?: string | null
  dialog_id?: string | null
  message_id?: string | null
  task_id?: string | null
  channel_id?: string | null
  agent_id?: string | null
  team_id?: string | null
  data: Record<string, unknown>
  /** The entities are the current state, not the state at the time of the fact. */
  dialog?: Dialog | null
  message?: Message | null
  task?: Task | null
  channel?: Channel | null
  agent?: Agent | null
  team?: Team | null
  customer?: Customer | null
}

export type Lane =
  | { lane: 'typing'; dialog_id: string; agent_id?: string; customer?: boolean; note?: boolean }
  | { lane: 'viewing'; dialog_id: string; agent_ids: string[] }
  | { lane: 'presence'; agents: Record<string, 'active' | 'away'> }

export type LaneOut =
  | { lane: 'typing'; dialog_id: string; note: boolean }
  | { lane: 'viewing'; dialog_id: string | null }
  | { lane: 'presence'; state: 'active' | 'away' }
