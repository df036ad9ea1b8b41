/** Letters and a quiet colour for people without a picture. */

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((w) => /[\p{L}\p{N}]/u.test(w))
  if (words.length === 0) return '·'
  const letters = words.length > 1 ? [words[0]!, words[1]!] : [words[0]!]
  return letters.map((w) => [...w].find((c) => /[\p{L}\p{N}]/u.test(c)) ?? '').join('').toUpperCase()
}

export function tint(name: string): number {
  let hash = 7
  for (const c of name) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) % 3600
  return (hash % 12) * 30
}
