import { expect, it } from 'vitest'
import type { Channel, CustomerCard, Identity } from '@/api/types'
import { message } from '@/state/fixtures'
import { filterItems } from '@/ui/pick'
import { fileSize } from '@/ui/size'
import { currentRoute, routesOf } from './composer/routes'
import { fieldsOf, initialValues, settingsOf } from './settings/schema'
import { pieces } from './thread/links'
import { hasRemote, letter } from './thread/mail'

const channel = (id: string, kind: Channel['kind'], state: Channel['state'] = 'active') => ({ id, kind, name: id, state, capabilities: { can_initiate: kind === 'email' } }) as Channel
const identity = (id: string, kind: Channel['kind'], channels: string[], reachable = true) =>
  ({ id, kind, external_id: 'a@b.c', name: '', username: '', reachable, channels: channels.map((channel_id) => ({ channel_id, last_at: '' })) }) as Identity

it('offers every contact over the channels it wrote by, and mail also where it never wrote', () => {
  const channels = new Map([channel('tg', 'telegram'), channel('mail', 'email'), channel('vk', 'vk', 'paused')].map((c) => [c.id, c]))
  const card = { identities: [identity('i1', 'telegram', ['tg']), identity('i2', 'email', []), identity('i3', 'vk', ['vk']), identity('i4', 'telegram', ['tg'], false)] } as CustomerCard
  const routes = routesOf(card, channels)
  expect(routes.map((r) => [r.key, r.usable, r.why])).toEqual([['i1:tg', true, ''], ['i2:mail', true, ''], ['i3:vk', true, 'paused'], ['i4:tg', false, 'unreachable']])
  const thread = [message(1, { identity_id: 'i2', channel_id: 'mail' }), message(2, { direction: 'out', channel_id: 'tg' })]
  expect(currentRoute(routes, null, thread, 'tg')?.key).toBe('i2:mail')
  expect(currentRoute(routes, 'i3:vk', thread, 'tg')?.key).toBe('i3:vk')
  expect(currentRoute(routes, 'gone', [], 'tg')?.key).toBe('i1:tg')
})

it('makes links of addresses and nothing else', () => {
  expect(pieces('см. https://a.test/x?y=1, и пишите на me@a.test.').filter((p) => p.href).map((p) => p.href)).toEqual(['https://a.test/x?y=1', 'mailto:me@a.test'])
  expect(pieces('javascript:alert(1) <b>x</b>').every((p) => !p.href)).toBe(true)
})

it('shows letters without scripts and without remote pictures', () => {
  const html = '<p>x</p><img data-cid="pic"><img data-src="https://spy.test/1.gif"><img src="https://spy.test/2.gif">'
  const own = [{ content_id: 'pic', url: '/api/v1/files/1' } as never]
  const page = letter(html, own)
  expect(page).toContain("default-src 'none'")
  expect(page).toContain('src="/api/v1/files/1"')
  expect(page).toContain("img-src 'self';")
  expect(/\ssrc="https:/.test(page)).toBe(false)
  expect(letter(html, own, 'm1', true)).toContain('src="/api/v1/messages/m1/picture?url=https%3A%2F%2Fspy.test%2F1.gif"')
  expect(hasRemote(html)).toBe(true)
  expect(hasRemote('<img data-cid="pic">')).toBe(false)
})

it('draws a form from a schema and reads it back', () => {
  const schema = {
    type: 'object', required: ['token', 'mode'], $defs: { Http: { type: 'object', properties: { timeout: { type: 'number', default: 30 }, proxy: { type: 'string', default: '' } } } },
    properties: {
      token: { type: 'string', format: 'password', writeOnly: true, title: 'Token' }, mode: { enum: ['poll', 'webhook'], default: 'poll' }, port: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
      senders: { type: 'array', items: { type: 'string' }, default: ['a'] }, http: { $ref: '#/$defs/Http', description: 'How' },
    },
  }
  const fields = fieldsOf(schema)
  expect(fields.map((f) => [f.key, f.type, f.required, f.advanced])).toEqual([
    ['token', 'secret', true, false], ['mode', 'choice', true, false], ['port', 'number', false, false], ['senders', 'lines', false, false],
    ['http.timeout', 'number', false, true], ['http.proxy', 'text', false, true],
  ])
  const values = initialValues(fields, { token: '***', mode: 'webhook', http: { timeout: 5 } })
  expect(values).toMatchObject({ token: '', mode: 'webhook', senders: 'a', 'http.timeout': 5 })
  expect(settingsOf(fields, values)).toEqual({ mode: 'webhook', senders: ['a'], http: { timeout: 5, proxy: '' } })
  expect(settingsOf(fields, { ...values, token: 's', port: '25' })).toMatchObject({ token: 's', port: 25 })
})

it('finds by a few letters and tells sizes', () => {
  const items = [{ id: '1', label: 'Мария Соколова' }, { id: '2', label: 'Иван', words: 'поддержка' }]
  expect(filterItems(items, 'сок мар').map((i) => i.id)).toEqual(['1'])
  expect(filterItems(items, 'подд').map((i) => i.id)).toEqual(['2'])
  expect([fileSize(900, 'ru'), fileSize(1536, 'en'), fileSize(null, 'ru')]).toEqual(['900 Б', '1.5 KB', ''])
})
