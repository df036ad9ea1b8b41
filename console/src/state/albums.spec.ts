import { describe, expect, it } from 'vitest'
import { bubbles } from './albums'
import type { ThreadMessage } from './threads'

const part = (seq: number, album: string | undefined, more: object = {}) =>
  ({ id: `m${seq}`, seq, text: '', meta: album ? { album } : {}, attachments: [{ id: `a${seq}` }], edited_at: null, deleted_at: null, ...more }) as unknown as ThreadMessage

describe('albums', () => {
  it('are one bubble each, with all files in order', () => {
    const found = bubbles([part(1, 'x'), part(2, 'x'), part(3, 'y'), part(4, undefined), part(5, undefined), part(6, 'x')])
    expect(found.map((one) => [one.message.id, one.more])).toEqual([['m1', [2]], ['m3', []], ['m4', []], ['m5', []], ['m6', []]])
    expect(found[0]!.message.attachments.map((one) => one.id)).toEqual(['a1', 'a2'])
  })

  it('show every text, each with its own formatting', () => {
    const bold = (offset: number) => [{ type: 'bold', offset, length: 2 }]
    const [one] = bubbles([
      part(1, 'x', { text: '😀 да', meta: { album: 'x', entities: bold(3) } }),
      part(2, 'x', { text: 'нет', meta: { album: 'x', entities: bold(0) } }),
    ])
    expect(one!.message.text).toBe('😀 да\nнет')
    expect(one!.message.meta.entities).toEqual([...bold(3), ...bold(6)])
  })

  it('leave out what was deleted, which stands by itself', () => {
    expect(bubbles([part(1, 'x'), part(2, 'x', { deleted_at: 'now' })])).toHaveLength(2)
  })
})
