/** To whom a mail went and an answer may go. */

import type { ThreadMessage } from './threads'

/** What the agent chose for the mail he writes; addresses as typed, one after the other. */
export interface MailDraft {
  to: string
  cc: string
  bcc: string
  subject: string
  forward: boolean
}

export interface MailPeople {
  from: string
  to: string[]
  cc: string[]
  bcc: string[]
  subject: string
}

interface MailMeta {
  from?: string
  to?: string[]
  cc?: string[]
  reply_to?: string
  subject?: string
  mail?: { to?: string[]; cc?: string[]; bcc?: string[]; subject?: string }
}

export const emptyMail = (): MailDraft => ({ to: '', cc: '', bcc: '', subject: '', forward: false })

export const addressOf = (person: string) => (/<([^<>]+)>\s*$/.exec(person)?.[1] ?? person).trim().toLowerCase()

export const split = (typed: string) => [...new Set(typed.split(/[\s,;]+/).map(addressOf).filter(Boolean))]

export const isAddress = (address: string) => /^[^\s<>,;:"@\\]+@[^\s<>,;:"@\\]+$/.test(address)

export function peopleOf(message: ThreadMessage): MailPeople {
  const meta = message.meta as MailMeta
  const chosen = message.direction === 'out' ? (meta.mail ?? {}) : meta
  return {
    from: meta.from ?? '', to: chosen.to ?? [], cc: chosen.cc ?? [], bcc: meta.mail?.bcc ?? [],
    subject: meta.mail?.subject ?? meta.subject ?? '',
  }
}

/** Answer everybody: who wrote, and all others he wrote to but ourselves. */
export function replyAll(message: ThreadMessage, own: string[]): MailDraft {
  const people = peopleOf(message)
  const ours = new Set(own.map((one) => one.toLowerCase()))
  const first = [(message.meta as MailMeta).reply_to ?? people.from, ...(message.direction === 'out' ? people.to : [])].map(addressOf).filter(Boolean)
  const others = [...(message.direction === 'in' ? people.to : []), ...people.cc].map(addressOf)
  const cc = [...new Set(others)].filter((one) => one && !first.includes(one) && !ours.has(withoutDetail(one)))
  return { ...emptyMail(), to: first.join(', '), cc: cc.join(', ') }
}

/** One of our own mailboxes, with whatever stands after its `+`. */
export const isOurs = (person: string, own: string[]) => own.some((one) => one.toLowerCase() === withoutDetail(addressOf(person)))

const withoutDetail = (address: string) => address.replace(/\+[^@]*@/, '@')

export const forward = (): MailDraft => ({ ...emptyMail(), forward: true })

/** The words under which a mail is passed on. */
export function passedOn(message: ThreadMessage, title: string): string {
  const people = peopleOf(message)
  const text = (message.meta as { full_text?: string }).full_text ?? message.text
  return `\n\n---------- ${title} ----------\n${[people.from, people.subject].filter(Boolean).join('\n')}\n\n${text}`
}

/** Addresses that nobody of this thread has: a slip of the pen would tell a stranger. */
export function strangers(mail: MailDraft, items: ThreadMessage[], contacts: string[]): string[] {
  const known = new Set([...contacts, ...items.flatMap((m) => { const p = peopleOf(m); return m.local ? [] : [p.from, ...p.to, ...p.cc, ...p.bcc] })].map(addressOf))
  return [mail.to, mail.cc, mail.bcc].flatMap(split).filter((one) => !known.has(one))
}
