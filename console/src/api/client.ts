/** Every call the console makes, by name. */

import { get, patch, post, put, remove } from './http'
import type {
  Act, Agent, AgentSecret, Channel, ChannelHealth, ChannelKindInfo, Customer, CustomerCard, Dialog, Hit, ListedDialog, Me, Message, NewMessage,
  MergePreview, NewTask, Page, Quarantined, Snapshot, Suggestion, Task, Team, Token, Version,
} from './types'

type Fields = Record<string, unknown>
type Query = Record<string, string | number | null | undefined>

/** Lists without paging may come bare or as a page. */
async function all<T>(path: string, query: Query = {}): Promise<T[]> {
  const answer = await get<T[] | Page<T>>(path, query)
  return Array.isArray(answer) ? answer : answer.items
}

export const session = {
  login: (email: string, password: string) => post<Me>('/login', { email, password }),
  logout: () => post<null>('/logout'),
  logoutEverywhere: () => post<null>('/logout-everywhere'),
  change: (fields: Fields) => patch<Me>('/me', fields),
  sync: () => get<Snapshot>('/sync'),
}

export const dialogs = {
  list: (query: Query, signal?: AbortSignal) => get<Page<ListedDialog>>('/dialogs', query, signal),
  get: (id: string) => get<ListedDialog>(`/dialogs/${id}`),
  start: (customer_id: string, channel_id: string, identity_id: string) =>
    post<Dialog>('/dialogs', { customer_id, channel_id, identity_id }),
  assign: (id: string, fields: { assignee_id?: string | null; team_id?: string | null }) =>
    patch<Dialog>(`/dialogs/${id}`, fields),
  snooze: (id: string, until: string | null) => post<Dialog>(`/dialogs/${id}/snooze`, { until }),
  close: (id: string) => post<Dialog>(`/dialogs/${id}/close`),
  reopen: (id: string) => post<Dialog>(`/dialogs/${id}/reopen`),
  read: (id: string, inbound_count: number) => post<unknown>(`/dialogs/${id}/read`, { inbound_count }),
}

export const messages = {
  page: (customer: string, query: Query) =>
    get<{ items: Message[]; has_more: boolean }>(`/customers/${customer}/messages`, query),
  send: (dialog: string, body: NewMessage) => post<Message>(`/dialogs/${dialog}/messages`, body),
  find: (query: Query, signal?: AbortSignal) => get<Page<Hit> & { nothing_asked: boolean }>('/search', query, signal),
  cancel: (id: string) => post<Message>(`/messages/${id}/cancel`),
  resend: (id: string) => post<Message>(`/messages/${id}/resend`),
  edit: (id: string, text: string) => patch<Message>(`/messages/${id}`, { text }),
  delete: (id: string) => remove<Message>(`/messages/${id}`),
  react: (id: string, emoji: string) => put<Message>(`/messages/${id}/reaction`, { emoji }),
  dismiss: (id: string, kind: Act['kind']) => remove<Message>(`/messages/${id}/acts/${kind}`),
  versions: (id: string) => get<Version[]>(`/messages/${id}/versions`),
}

export const customers = {
  list: (query: Query, signal?: AbortSignal) => get<Page<Customer>>('/customers', query, signal),
  get: (id: string) => get<CustomerCard>(`/customers/${id}`),
  change: (id: string, fields: Fields) => patch<Customer>(`/customers/${id}`, fields),
  contact: (id: string, kind: string, external_id: string) =>
    post<unknown>(`/customers/${id}/contacts`, { kind, external_id }),
  suggestions: (id: string) => get<Suggestion[]>(`/customers/${id}/suggestions`),
  dismiss: (id: string, customer_id: string) => post<void>(`/customers/${id}/suggestions/dismiss`, { customer_id }),
  mergePreview: (id: string, other: string) => get<MergePreview>(`/customers/${id}/merge-preview`, { with: other }),
  merge: (id: string, customer_id: string) => post<CustomerCard>(`/customers/${id}/merge`, { customer_id }),
  unmerge: (merge: string) => post<{ kept_id: string; merged_id: string }>(`/merges/${merge}/undo`, {}),
  link: (id: string, channel_id: string) =>
    post<{ url: string; expires_at: string }>(`/customers/${id}/link-tokens`, { channel_id }),
}

export const tasks = {
  list: (query: Query, signal?: AbortSignal) => get<Page<Task>>('/tasks', query, signal),
  get: (id: string) => get<Task>(`/tasks/${id}`),
  create: (body: NewTask) => post<Task>('/tasks', body),
  change: (id: string, fields: Fields) => patch<Task>(`/tasks/${id}`, fields),
  linkDialog: (id: string, dialog: string) => put<unknown>(`/tasks/${id}/dialogs/${dialog}`),
  unlinkDialog: (id: string, dialog: string) => remove<unknown>(`/tasks/${id}/dialogs/${dialog}`),
}

export const agents = {
  list: () => all<Agent>('/agents'),
  create: (body: Fields) => post<AgentSecret>('/agents', body),
  change: (id: string, body: Fields) => patch<AgentSecret>(`/agents/${id}`, body),
}

export const teams = {
  list: () => all<Team>('/teams'),
  create: (body: Fields) => post<Team>('/teams', body),
  change: (id: string, body: Fields) => patch<Team>(`/teams/${id}`, body),
  remove: (id: string) => remove<unknown>(`/teams/${id}`),
}

export const tokens = {
  list: () => all<Token>('/tokens'),
  create: (body: Fields) => post<Token>('/tokens', body),
  remove: (id: string) => remove<unknown>(`/tokens/${id}`),
}

/** Calls that speak with a platform before they answer may take long. */
const PATIENT = 60_000

export const channels = {
  health: () => get<ChannelHealth[]>('/channel-health'),
  list: () => all<Channel>('/channels'),
  kinds: () => all<ChannelKindInfo>('/channels/kinds'),
  get: (id: string) => get<Channel>(`/channels/${id}`),
  connect: (body: Fields) => post<Channel>('/channels', body, PATIENT),
  change: (id: string, body: Fields) => patch<Channel>(`/channels/${id}`, body, PATIENT),
  act: (id: string, what: 'pause' | 'resume' | 'check') => post<Channel>(`/channels/${id}/${what}`, {}, PATIENT),
  remove: (id: string) => remove<unknown>(`/channels/${id}`),
}

export const inbound = {
  quarantined: () => all<Quarantined>('/inbound', { state: 'quarantined' }),
  payload: (id: string | number) => get<unknown>(`/inbound/${id}/payload`),
  replay: (id: string | number) => post<unknown>(`/inbound/${id}/replay`),
}
