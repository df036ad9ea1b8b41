import { expect, it } from 'vitest'
import { actionOf } from './map'

const press = (code: string, fields: Partial<KeyboardEvent> = {}) => ({ code, key: '', ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...fields })

it('goes by the physical key, so the Russian layout works', () => {
  expect(actionOf(press('KeyJ', { key: 'о' }), false)).toBe('next')
  expect(actionOf(press('KeyE', { key: 'у' }), false)).toBe('close')
  expect(actionOf(press('Slash', { key: '.' }), false)).toBe('search')
  expect(actionOf(press('Slash', { key: ',', shiftKey: true }), false)).toBe('help')
})

it('leaves keys to fields and to the browser', () => {
  expect(actionOf(press('KeyJ'), true)).toBeNull()
  expect(actionOf(press('KeyR', { ctrlKey: true }), false)).toBeNull()
  expect(actionOf(press('KeyK', { ctrlKey: true }), true)).toBe('palette')
  expect(actionOf(press('KeyK', { metaKey: true, key: 'л' }), false)).toBe('palette')
})
