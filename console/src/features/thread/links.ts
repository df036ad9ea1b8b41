/** Finds addresses in plain text; nothing of a message is ever put into the page as HTML. */

export interface Piece {
  text: string
  href?: string
}

const LINK = /(https?:\/\/[^\s<>"']+|www\.[^\s<>"']+\.[^\s<>"']+|[\w.+-]+@[\w-]+\.[\w.-]+\w)/giu

function href(text: string): string {
  if (/^https?:/i.test(text)) return text
  return text.includes('@') && !/^www\./i.test(text) ? `mailto:${text}` : `https://${text}`
}

export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let at = 0
  for (const match of text.matchAll(LINK)) {
    const link = match[0].replace(/[.,;:!?)\]»]+$/, '')
    if (match.index > at) found.push({ text: text.slice(at, match.index) })
    found.push({ text: link, href: href(link) })
    at = match.index + link.length
  }
  if (at < text.length) found.push({ text: text.slice(at) })
  return found
}
