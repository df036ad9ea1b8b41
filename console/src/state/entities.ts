/** Formatting of a message: entities over its text, counted in UTF-16 units as JavaScript counts, into pieces to show. */

export interface Entity {
  type: string
  offset: number
  length: number
  url?: string
  language?: string
}

export interface Piece {
  text: string
  styles: string[]
  href?: string
}

const STYLES = new Set(['bold', 'italic', 'underline', 'strikethrough', 'spoiler', 'code', 'pre', 'blockquote', 'expandable_blockquote', 'mention', 'text_mention', 'hashtag', 'cashtag', 'bot_command'])

/** Addresses of these kinds only: nothing of a message may run. */
const SAFE = /^(https?:\/\/|mailto:|tel:|tg:\/\/)/i

const HREFS: Record<string, (text: string, entity: Entity) => string> = {
  url: (text) => (/^[a-z][\w+.-]*:/i.test(text) ? text : `https://${text}`),
  text_link: (_, entity) => entity.url ?? '',
  email: (text) => `mailto:${text}`,
  phone_number: (text) => `tel:${text.replace(/[^+\d]/g, '')}`,
  mention: (text) => `https://t.me/${text.slice(1)}`,
}

function href(text: string, entity: Entity): string | undefined {
  const found = HREFS[entity.type]?.(text, entity)
  return found && SAFE.test(found) ? found : undefined
}

/** What the API gave, as far as it is what it should be and lies within the text. */
function sound(given: unknown, text: string): Entity[] {
  if (!Array.isArray(given)) return []
  return (given as Partial<Entity>[]).filter((one): one is Entity =>
    typeof one?.type === 'string' && Number.isInteger(one.offset) && Number.isInteger(one.length)
    && one.offset! >= 0 && one.length! > 0 && one.offset! < text.length)
}

export function format(text: string, given: unknown): Piece[] {
  const entities = sound(given, text)
  const cuts = new Set([0, text.length])
  for (const one of entities) {
    cuts.add(one.offset)
    cuts.add(Math.min(one.offset + one.length, text.length))
  }
  const at = [...cuts].sort((a, b) => a - b)
  return at.slice(0, -1).map((from, index) => piece(text, from, at[index + 1]!, entities))
}

function piece(text: string, from: number, to: number, entities: Entity[]): Piece {
  const over = entities.filter((one) => one.offset <= from && one.offset + one.length >= to)
  const found: Piece = { text: text.slice(from, to), styles: over.map((one) => one.type).filter((type) => STYLES.has(type)) }
  for (const one of over) found.href ??= href(text.slice(one.offset, one.offset + one.length), one)
  return found
}
