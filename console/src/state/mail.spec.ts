import { expect, it } from 'vitest'
import { message } from './fixtures'
import { emptyMail, passedOn, replyAll, split, strangers } from './mail'

const question = message(1, {
  direction: 'in', text: 'Where is it?',
  meta: { subject: 'Order', from: 'anna@c.test', to: ['Shop <help+otk-1@shop.test>', 'Boss <boss@c.test>'], cc: ['it@c.test', 'anna@c.test'] },
})

it('answers everybody but ourselves, nobody twice', () => {
  expect(replyAll(question, ['help@shop.test'])).toMatchObject({ to: 'anna@c.test', cc: 'boss@c.test, it@c.test', bcc: '' })
  const wished = message(2, { ...question, meta: { ...question.meta, reply_to: 'desk@c.test' } })
  expect(replyAll(wished, []).to).toBe('desk@c.test')
})

it('tells addresses that nobody of the thread has', () => {
  const mail = { ...emptyMail(), to: 'anna@c.test', cc: 'Boss@c.test; new@else.test' }
  expect(strangers(mail, [question], [])).toEqual(['new@else.test'])
  expect(strangers(mail, [], ['anna@c.test', 'boss@c.test', 'new@else.test'])).toEqual([])
})

it('reads addresses as people type them', () => {
  expect(split('a@b.test, c@d.test;A@b.test\n')).toEqual(['a@b.test', 'c@d.test'])
  expect(passedOn(question, 'Forwarded')).toContain('anna@c.test\nOrder\n\nWhere is it?')
})
