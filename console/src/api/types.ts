/** Names for the shapes of the REST API. They come from the OpenAPI document: `npm run types`. */

import type { components } from './schema'

type S = components['schemas']

/** What the server sends is whole: a default in the document does not mean that the field may be missing. */
type Sent<T> = Required<T>

export type Agent = Sent<S['AgentOut']>
export type AgentSecret = S['AgentSecret']
export type Me = Sent<S['Me']>
export type Team = Sent<S['TeamOut']>
export type Role = Agent['role']
export type Locale = Agent['locale']

export type Capabilities = Sent<S['Capabilities']>
export type Channel = Sent<S['ChannelOut']> & Partial<Pick<S['ChannelDetails'], 'settings' | 'webhook_url' | 'embed_code'>>
export type ChannelHealth = S['ChannelHealth']
export type ChannelKind = Channel['kind']
export type ChannelKindInfo = Sent<S['ChannelKind']>

export type Customer = Sent<S['CustomerOut']>
export type Identity = Sent<Omit<S['IdentityOut'], 'kind'>> & { kind: ChannelKind }
export type CustomerCard = Omit<Sent<S['CustomerCard']>, 'identities'> & { identities: Identity[] }

export type Suggestion = Sent<S['Suggestion']>
export type MergePreview = Sent<S['MergePreview']>

export type Dialog = Sent<S['DialogOut']>
export type ListedDialog = Dialog & { unread: number }
export type DialogStatus = Dialog['status']
export type DialogView = 'mine' | 'unassigned' | 'team' | 'all'

export type Message = Omit<Sent<S['MessageOut']>, 'meta'> & { meta: Record<string, unknown> }
export type Act = Message['acts'][number]
export type Version = S['VersionOut']
export type Direction = Message['direction']
export type DeliveryStatus = NonNullable<Message['status']>
export type NewMessage = S['MessageNew']
export type Attachment = Sent<S['AttachmentOut']>
export type AttachmentKind = Attachment['kind']

export type Hit = Sent<S['SearchHit']>
export type FragmentPart = S['FragmentPart']

export type Task = Sent<S['TaskOut']>
export type TaskStatus = Task['status']
export type TaskView = 'mine' | 'created' | 'team' | 'overdue' | 'all'
export type NewTask = S['TaskNew']

export interface Counts {
  mine: number
  unassigned: number
  team: number
  all: number
  tasks_mine: number
  tasks_overdue: number
}

export type Snapshot = Omit<S['State'], 'me' | 'agents' | 'teams' | 'channels' | 'counts'> & {
  me: Me
  agents: Agent[]
  teams: Team[]
  channels: Channel[]
  counts: Counts
}

export type Token = S['TokenOut'] & Partial<Pick<S['TokenSecret'], 'token'>>
export type Quarantined = Sent<S['InboundOut']>

export interface Page<T> {
  items: T[]
  next: string | null
}
