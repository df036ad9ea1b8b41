import { describe, expect, it } from 'vitest'
import { format } from './entities'

const entity = (type: string, offset: number, length: number, more: object = {}) => ({ type, offset, length, ...more })

describe('formatting', () => {
  it('counts in UTF-16 units, so that emoji shift nothing', () => {
    expect(format('😀 важно', [entity('bold', 3, 5)])).toEqual([
      { text: '😀 ', styles: [] },
      { text: 'важно', styles: ['bold'] },
    ])
  })

  it('lays overlapping styles over each other', () => {
    const found = format('abcdef', [entity('bold', 0, 4), entity('italic', 2, 4)])
    expect(found.map((one) => [one.text, one.styles.join()])).toEqual([['ab', 'bold'], ['cd', 'bold,italic'], ['ef', 'italic']])
  })

  it('makes links of what is one, and of nothing that could run', () => {
    const links = (text: string, type: string, url?: string) => format(text, [entity(type, 0, text.length, { url })])[0]!.href
    expect(links('example.com', 'url')).toBe('https://example.com')
    expect(links('a@b.c', 'email')).toBe('mailto:a@b.c')
    expect(links('+7 (916) 1', 'phone_number')).toBe('tel:+79161')
    expect(links('@anna', 'mention')).toBe('https://t.me/anna')
    expect(links('here', 'text_link', 'https://a.b')).toBe('https://a.b')
    expect(links('here', 'text_link', 'javascript:alert(1)')).toBeUndefined()
    expect(links('javascript:alert(1)', 'url')).toBeUndefined()
    expect(links('here', 'text_link', 'data:text/html,x')).toBeUndefined()
  })

  it('survives whatever stands where entities should', () => {
    const broken = [null, 7, { type: 'bold' }, entity('bold', -1, 3), entity('bold', 99, 3), entity('bold', 1, 1e9), entity('bold', 0, 0.5)]
    for (const given of [undefined, null, 'x', {}, broken]) {
      expect(format('abc', given).map((one) => one.text).join('')).toBe('abc')
    }
    expect(format('', [entity('bold', 0, 1)])).toEqual([])
  })
})
