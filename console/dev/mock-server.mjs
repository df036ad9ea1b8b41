// A small stand-in for the server, for looking at the console without one. Development only: nothing imports it.
// node dev/mock-server.mjs [port]  serves dist/ and a few hand-made dialogs; it keeps everything in memory.
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { build } from './mock-data.mjs'

const port = Number(process.argv[2] ?? 8099)
const dist = fileURLToPath(new URL('../dist', import.meta.url))
const db = build()
const sockets = new Set()
let cursor = 1
let signedIn = true
const now = () => new Date().toISOString()
const id = () => crypto.randomUUID()
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }

function fact(type, fields) {
  cursor += 1
  const one = { cursor: String(cursor), type, at: now(), actor: { kind: 'agent', id: db.me.id }, data: {}, ...fields }
  for (const s of sockets) s.send(JSON.stringify({ facts: [one], cursor: String(cursor) }))
}

const lane = (value) => sockets.forEach((s) => s.send(JSON.stringify(value)))

function addMessage(dialog, fields) {
  const message = db.message(dialog, fields)
  db.messages.push(message)
  Object.assign(dialog, { last_message_at: message.created_at, preview: message.text, last_direction: message.direction, last_author_id: message.author_id })
  if (message.direction === 'in') Object.assign(dialog, { inbound_count: dialog.inbound_count + 1, waiting_since: dialog.waiting_since ?? message.created_at })
  if (message.direction === 'out') dialog.waiting_since = null
  fact('message.created', { dialog_id: dialog.id, message_id: message.id, customer_id: dialog.customer.id, dialog, message, data: { direction: message.direction, seq: message.seq } })
  return message
}

function deliver(message, dialog) {
  const steps = [['sending', 5200], ['sent', 5600], ['delivered', 7000], ['read', 9000]]
  for (const [status, ms] of steps) {
    setTimeout(() => {
      if (message.status === 'cancelled') return
      Object.assign(message, { status, send_after: null, [`${status}_at`]: now() })
      fact('message.status', { dialog_id: dialog.id, message_id: message.id, message, data: { status } })
    }, ms)
  }
  setTimeout(() => lane({ lane: 'typing', dialog_id: dialog.id, customer: true }), 9500)
  setTimeout(() => addMessage(dialog, { direction: 'in', text: 'Понял вас, спасибо! Жду.' }), 12500)
}

const unread = (d) => ({ ...d, unread: Math.max(0, d.inbound_count - (db.read[d.id] ?? 0)) })
const inView = (d, v) => (v === 'mine' ? d.assignee_id === db.me.id : v === 'unassigned' ? !d.assignee_id : v === 'team' ? Boolean(d.team_id) : true)
const open = (v) => db.dialogs.filter((d) => d.status === 'open' && inView(d, v)).length
const dialogOf = (key) => db.dialogs.find((d) => d.id === key)
const late = (t) => new Date(t.deadline_at) < new Date() && !t.finished_at
const page = (items) => ({ items, next: null })

function changed(dialog, type) {
  fact(type, { dialog_id: dialog.id, dialog })
  return dialog
}

const routes = [
  ['POST', '/login', (_, b) => (b.password === 'wrong' ? [401, { code: 'wrong_login' }] : ((signedIn = true), db.me))],
  ['POST', '/logout', () => ((signedIn = false), null)],
  ['PATCH', '/me', (_, b) => Object.assign(db.me, b)],
  ['GET', '/sync', () => ({
    cursor: String(cursor), me: db.me, agents: db.agents, teams: db.teams, channels: db.channels,
    counts: { mine: open('mine'), unassigned: open('unassigned'), team: open('team'), all: open('all'), tasks_mine: 3, tasks_overdue: db.tasks.filter(late).length },
    settings: { undo_seconds: 5, max_file_bytes: 20e6, version: 'mock' },
  })],
  ['GET', '/dialogs', (_, __, q) => page(db.dialogs.filter((d) => (q.get('q') ? d.customer.name.toLowerCase().includes(q.get('q').toLowerCase()) : inView(d, q.get('view')) && d.status === q.get('status')) && (!q.get('channel_id') || q.get('channel_id') === d.channel_id)).map(unread))],
  ['GET', '/dialogs/:id', (p) => unread(dialogOf(p.id))],
  ['PATCH', '/dialogs/:id', (p, b) => changed(Object.assign(dialogOf(p.id), b), 'dialog.assigned')],
  ['POST', '/dialogs/:id/snooze', (p, b) => changed(Object.assign(dialogOf(p.id), { status: 'snoozed', snoozed_until: b.until }), 'dialog.snoozed')],
  ['POST', '/dialogs/:id/close', (p) => changed(Object.assign(dialogOf(p.id), { status: 'closed', closed_at: now(), waiting_since: null }), 'dialog.closed')],
  ['POST', '/dialogs/:id/reopen', (p) => changed(Object.assign(dialogOf(p.id), { status: 'open', closed_at: null, snoozed_until: null }), 'dialog.reopened')],
  ['POST', '/dialogs/:id/read', (p, b) => ((db.read[p.id] = b.inbound_count), null)],
  ['POST', '/dialogs/:id/messages', (p, b) => {
    const dialog = dialogOf(p.id)
    if (b.text === '409') return [409, { code: 'dialog_changed' }]
    if (b.text === '403') return [403, { code: 'forbidden' }]
    const note = b.direction === 'note'
    const message = addMessage(dialog, {
      direction: b.direction, text: b.text, author_id: db.me.id, client_key: b.client_key, attachments: db.files.filter((f) => b.attachment_ids.includes(f.id)),
      channel_id: note ? null : (b.channel_id ?? dialog.channel_id), ...(note ? {} : { status: 'queued', send_after: new Date(Date.now() + 5000).toISOString() }),
    })
    if (!note) deliver(message, dialog)
    return [201, message]
  }],
  ['POST', '/messages/:id/cancel', (p) => Object.assign(db.messages.find((m) => m.id === p.id), { status: 'cancelled' })],
  ['POST', '/messages/:id/resend', (p) => { const m = db.messages.find((x) => x.id === p.id); const d = dialogOf(m.dialog_id); const n = addMessage(d, { ...m, id: id(), status: 'queued', error: null, client_key: id() }); deliver(n, d); return n }],
  ['GET', '/customers', (_, __, q) => page(db.customers.filter((c) => c.name.toLowerCase().includes((q.get('q') ?? '').toLowerCase())))],
  ['GET', '/customers/:id', (p) => ({ ...db.customers.find((c) => c.id === p.id), identities: db.identities[p.id] ?? [], dialogs: db.dialogs.filter((d) => d.customer.id === p.id), tasks: db.tasks.filter((t) => t.dialogs.some((d) => dialogOf(d.id)?.customer.id === p.id)) })],
  ['PATCH', '/customers/:id', (p, b) => Object.assign(db.customers.find((c) => c.id === p.id), b)],
  ['GET', '/customers/:id/messages', (p, _, q) => {
    const before = Number(q.get('before') ?? Infinity)
    const own = db.messages.filter((m) => m.customer_id === p.id && m.seq < before)
    return { items: own.slice(-50), has_more: own.length > 50 }
  }],
  ['POST', '/customers/:id/link-tokens', () => ({ url: 'https://t.me/example_bot?start=3kP9xYv2', expires_at: new Date(Date.now() + 864e5).toISOString() })],
  ['GET', '/tasks', (_, __, q) => page(db.tasks.filter((t) => (q.get('view') === 'overdue' ? late(t) : true)))],
  ['POST', '/tasks', (_, b) => { const t = db.task(b); db.tasks.push(t); fact('task.created', { task_id: t.id, task: t }); return [201, t] }],
  ['GET', '/tasks/:id', (p) => db.tasks.find((t) => t.id === p.id)],
  ['PATCH', '/tasks/:id', (p, b) => { const t = Object.assign(db.tasks.find((x) => x.id === p.id), b); t.finished_at = ['done', 'cancelled'].includes(t.status) ? now() : null; fact('task.changed', { task_id: t.id, task: t }); return t }],
  ['GET', '/channels/kinds', () => db.kinds], ['GET', '/channels/:id', (p) => ({ ...db.channels.find((c) => c.id === p.id), settings: {}, webhook_url: null, embed_code: '<script src="http://127.0.0.1:8080/widget/loader.js" data-channel="…"></script>' })],
  ['GET', '/channels', () => db.channels], ['GET', '/tokens', () => page([])], ['GET', '/inbound', () => page(db.quarantined)],
]

function match(method, path) {
  for (const [m, pattern, run] of routes) {
    const found = m === method && new RegExp(`^${pattern.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`).exec(path)
    if (found) return [run, found.groups ?? {}]
  }
  return null
}

function answer(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' })
  res.end(JSON.stringify(body))
}

async function api(req, res, url) {
  const path = url.pathname.slice('/api/v1'.length)
  const chunks = []
  for await (const chunk of req) chunks.push(chunk)
  const raw = Buffer.concat(chunks)
  if (path.startsWith('/files/')) { const f = db.files.find((x) => path.endsWith(x.id)); res.writeHead(200, { 'content-type': f.mime }); return res.end(f.body) }
  if (path === '/files') { const f = db.file({ name: /filename="(.*?)"/.exec(raw.toString('latin1'))?.[1] ?? 'file', size: raw.length }); db.files.push(f); return answer(res, 201, f) }
  if (!signedIn && path !== '/login') return answer(res, 401, { code: 'unauthenticated' })
  const found = match(req.method, path)
  if (!found) return answer(res, 404, { code: 'not_found' })
  const out = found[0](found[1], raw.length ? JSON.parse(raw) : {}, url.searchParams)
  if (Array.isArray(out) && typeof out[0] === 'number') return answer(res, out[0], out[1])
  return answer(res, 200, out)
}

const server = createServer((req, res) => {
  const url = new URL(req.url, 'http://x')
  if (url.pathname.startsWith('/api/v1')) return void api(req, res, url)
  const asked = join(dist, url.pathname)
  const file = extname(asked) && existsSync(asked) ? asked : join(dist, 'index.html')
  res.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
  createReadStream(file).pipe(res)
})
const live = new WebSocketServer({ server, path: '/api/v1/live' })
live.on('connection', (socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.send(JSON.stringify({ lane: 'presence', agents: { [db.agents[0].id]: 'active', [db.agents[1].id]: 'active', [db.agents[2].id]: 'away' } }))
})
setInterval(() => lane({ ping: 1 }), 20000)
server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`))
