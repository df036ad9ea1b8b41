/** Splitting a mail into what was written and what was quoted below. */

const HEADS = [
  /^\s*>/,
  /^-{2,}\s*(Original Message|Исходное сообщение|Пересылаемое сообщение)/i,
  /^(On|В|Вт|Ср|Чт|Пт|Сб|Вс|Пн)\b.{4,120}(wrote|написал(а)?|пишет)\s*(\(а\))?:?\s*$/i,
  /^\d{1,2}[.\s].{4,100}(написал|пишет|wrote).*:\s*$/i,
  /^(From|От|От кого):\s.+/i,
]

export function splitQuote(text: string): { said: string; quoted: string } {
  const lines = text.split('\n')
  const at = lines.findIndex((line) => HEADS.some((head) => head.test(line)))
  if (at <= 0) return { said: text, quoted: '' }
  const tail = lines.slice(at).join('\n').trim()
  return { said: lines.slice(0, at).join('\n').trimEnd(), quoted: tail }
}
