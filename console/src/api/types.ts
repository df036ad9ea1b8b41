/** Shapes of the REST API that the console uses. */

export type Role = 'agent' | 'lead' | 'admin'
export type Locale = 'ru' | 'en'
export type ChannelKind = 'telegram' | 'vk' | 'email' | 'webchat' | 'api'
export type ChannelState = 'active' | 'paused' | 'stopped'
export type DialogStatus = 'open' | 'snoozed' | 'closed'
export type DialogView = 'mine' | 'unassigned' | 'team' | 'all'
export type Direction = 'in' | 'out' | 'note' | 'system'
export type DeliveryStatus =
  'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'unknown' | 'cancelled'
export type AttachmentKind = 'image' | 'video' | 'audio' | 'voice' | 'document' | 'sticker'
export type TaskStatus = 'todo' | 'in_progress' | 'waiting' | 'done' | 'cancelled'
export type TaskView = 'mine' | 'created' | 'team' | 'overdue' | 'all'

export interface Agent {
  id: string
  name: string
  email: string | null
  role: Role
  is_bot: boolean
  locale: Locale
  time_zone: string
  active: boolean
  team_ids: string[]
}

export interface Me extends Agent {
  must_change_password: boolean
  session_id: string | null
}

export interface Team {
  id: string
  name: string
  member_ids: string[]
}

export interface Capabilities {
  inbound: string[]
  max_text: number
  attachments: AttachmentKind[]
  max_attachments: number
  max_file_bytes: number
  reply: boolean
  typing: boolean
  can_initiate: boolean
  delivery: 'sent' | 'delivered' | 'read'
  deduplicates: boolean
  deep_link: boolean
}

export interface Channel {
  id: string
  kind: ChannelKind
  name: string
  title: string
  state: ChannelState
  error: string | null
  error_code: string | null
  error_at: string | null
  seen_at: string | null
  team_ids: string[]
  capabilities: Capabilities
  settings?: Record<string, unknown> | null
  webhook_url?: string | null
  embed_code?: string | null
}

export interface ChannelKindInfo {
  kind: ChannelKind
  title: string
  settings_schema: Record<string, unknown>
  capabilities: Capabilities
}

export interface Customer {
  id: string
  name: string
  phone: string
  email: string
  about: string
  locale: string
  avatar_url: string | null
  created_at: string
}

export interface Identity {
  id: string
  kind: ChannelKind
  external_id: string
  name: string
  username: string
  reachable: boolean
  channels: { channel_id: string; last_at: string | null }[]
}

export interface Dialog {
  id: string
  number: number
  status: DialogStatus
  customer: { id: string; name: string; avatar_url: string | null }
  channel_id: string
  assignee_id: string | null
  team_id: string | null
  snoozed_until: string | null
  waiting_since: string | null
  first_response_at: string | null
  last_message_at: string
  last_direction: 'in' | 'out' | 'note'
  last_author_id: string | null
  preview: string
  inbound_count: number
  created_at: string
  closed_at: string | null
  task_count: number
  next_deadline_at: string | null
}

export type ListedDialog = Dialog & { unread: number }

export interface Attachment {
  id: string
  kind: AttachmentKind
  name: string
  mime: string
  size: number | null
  width: number | null
  height: number | null
  duration: number | null
  content_id: string | null
  state: 'pending' | 'stored' | 'unavailable'
  error: string | null
  url: string | null
}

export interface Message {
  id: string
  seq: number
  dialog_id: string
  customer_id: string
  direction: Direction
  channel_id: string | null
  identity_id: string | null
  text: string
  html: string | null
  author_id: string | null
  reply_to: { id: string; text: string; direction: Direction } | null
  attachments: Attachment[]
  created_at: string
  occurred_at: string | null
  edited_at: string | null
  status: DeliveryStatus | null
  error: string | null
  error_code: string | null
  send_after: string | null
  client_key: string | null
  sent_at: string | null
  delivered_at: string | null
  read_at: string | null
  meta: Record<string, unknown>
}

export interface Task {
  id: string
  number: number
  title: string
  description: string
  status: TaskStatus
  owner_id: string
  team_id: string | null
  deadline_at: string
  overdue: boolean
  created_by: string | null
  created_at: string
  finished_at: string | null
  dialogs: { id: string; number: number; customer_name: string }[]
  message_ids: string[]
}

export interface CustomerCard extends Customer {
  identities: Identity[]
  dialogs: Dialog[]
  tasks: Task[]
}

export interface Counts {
  mine: number
  unassigned: number
  team: number
  all: number
  tasks_mine: number
  tasks_overdue: number
}

export interface Snapshot {
  cursor: string
  me: Me
  agents: Agent[]
  teams: Team[]
  channels: Channel[]
  counts: Counts
  settings: { undo_seconds: number; max_file_bytes: number; version: string }
}

export interface Token {
  id: string
  name: string
  scopes: string[]
  agent_id: string
  created_at: string
  expires_at: string | null
  seen_at: string | null
  token?: string | null
}

export interface Quarantined {
  id: string | number
  channel_id: string
  key: string
  state: string
  error: string | null
  attempts: number
  received_at: string
  payload_preview: string
}

export interface Page<T> {
  items: T[]
  next: string | null
}

export interface NewMessage {
  client_key: string
  direction: 'out' | 'note'
  text: string
  attachment_ids: string[]
  channel_id?: string | null
  identity_id?: string | null
  reply_to_id?: string | null
  seen_seq?: number | null
}

export interface NewTask {
  title: string
  description?: string
  owner_id?: string | null
  team_id?: string | null
  deadline_at?: string | null
  dialog_ids: string[]
  message_ids: string[]
}
