import { describe, expect, it } from 'vitest'
import { ApiError } from '@/api/http'
import en from './en'
import { explain, i18n, setLocale } from './index'
import ru from './ru'

type Tree = { [key: string]: string | Tree }

function leaves(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const at = path ? `${path}.${key}` : key
    return typeof value === 'string' ? [[at, value] as [string, string]] : leaves(value, at)
  })
}

const russian = new Map(leaves(ru as unknown as Tree))
const english = new Map(leaves(en as unknown as Tree))
const sources = import.meta.glob<string>(['../**/*.vue', '../**/*.ts', '!../**/*.spec.ts', '!./*.ts', '!../dev/**'], { query: '?raw', import: 'default', eager: true })
const params = (text: string) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort()

describe('the two languages', () => {
  it('have the same words with the same parameters', () => {
    expect([...english.keys()].sort()).toEqual([...russian.keys()].sort())
    for (const [key, text] of russian) expect(params(english.get(key)!), key).toEqual(params(text))
  })

  it('are both written: no empty words, no Russian in English', () => {
    for (const [key, text] of english) expect(/[а-яё]/i.test(text), key).toBe(false)
    for (const [key, text] of russian) expect(text !== '' || key.startsWith('fields.'), key).toBe(true)
  })

  it('hold every word that the console asks for', () => {
    const missing: string[] = []
    for (const [file, source] of Object.entries(sources)) {
      for (const [, key] of source.matchAll(/\bt\(\s*'([\w.]+)'/g)) if (!russian.has(key!)) missing.push(`${file}: ${key}`)
      for (const [, stem] of source.matchAll(/\bt\(\s*`([\w.]+)\.\$\{/g)) {
        if (![...russian.keys()].some((k) => k.startsWith(`${stem}.`))) missing.push(`${file}: ${stem}.*`)
      }
    }
    expect(missing).toEqual([])
  })

  it('compile, each and every word', () => {
    for (const locale of ['ru', 'en'] as const) {
      setLocale(locale)
      for (const key of russian.keys()) expect(() => i18n.global.t(key, { n: 2, name: 'x' }, 2), key).not.toThrow()
    }
  })

  it('count as each language does', () => {
    const count = (n: number) => i18n.global.t('thread.newMessages', { n }, n)
    setLocale('ru')
    expect([1, 2, 5, 11, 21, 22, 111].map(count).map((s) => s.split(' ').slice(1).join(' '))).toEqual([
      'новое сообщение', 'новых сообщения', 'новых сообщений', 'новых сообщений', 'новое сообщение', 'новых сообщения', 'новых сообщений',
    ])
    setLocale('en')
    expect([1, 2].map(count)).toEqual(['1 new message', '2 new messages'])
  })
})

describe('errors', () => {
  it('are told by their code, with the reason of the platform where there is one', () => {
    setLocale('ru')
    expect(explain(new ApiError(401, 'wrong_login', 'x'))).toBe('Почта или пароль не подходят.')
    expect(explain(new ApiError(400, 'channel_refused', 'Unauthorized'))).toBe('Платформа отказала: Unauthorized')
    expect(explain(new ApiError(400, 'never_heard', 'Detail.'))).toBe('Detail.')
    expect(explain(new Error('bug'))).toContain('сломалось')
  })
})
