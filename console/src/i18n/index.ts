/** The two languages, plural rules, and errors told by their code. */

import { createI18n } from 'vue-i18n'
import { ApiError } from '@/api/http'
import type { Locale } from '@/api/types'
import en from './en'
import ru from './ru'

/** one | few | many, as Russian counts. */
function russian(choice: number, forms: number): number {
  if (forms < 3) return choice === 1 ? 0 : forms - 1
  const ten = choice % 10
  const hundred = choice % 100
  if (ten === 1 && hundred !== 11) return 0
  return ten >= 2 && ten <= 4 && (hundred < 12 || hundred > 14) ? 1 : 2
}

const english = (choice: number, forms: number) => (choice === 1 ? 0 : forms - 1)

export const LOCALES: Locale[] = ['ru', 'en']

function initial(): Locale {
  const kept = localStorage.getItem('otklik.locale')
  if (kept === 'ru' || kept === 'en') return kept
  return navigator.language.toLowerCase().startsWith('ru') ? 'ru' : 'en'
}

export const i18n = createI18n({
  legacy: false,
  locale: initial(),
  fallbackLocale: false,
  messages: { ru, en },
  pluralRules: { ru: russian, en: english },
})

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
  localStorage.setItem('otklik.locale', locale)
}

export const locale = () => i18n.global.locale.value as Locale

function word(key: string): string | null {
  return i18n.global.te(key) ? i18n.global.t(key) : null
}

/** What went wrong and what to do, in the user's language. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return word('errors.bug')!
  const text = word(`errors.${error.code}`)
  if (error.code === 'channel_refused' && error.detail) return `${text} ${error.detail}`
  if (error.code === 'malformed' && error.errors.length) {
    return `${text} ${error.errors.map((e) => `${e.field}: ${e.message}`).join('; ')}`
  }
  return text ?? (error.detail || word('errors.unknown')!)
}
