/** Why a channel or a message failed: known codes in our words, else what the platform said. */

import { useI18n } from 'vue-i18n'

export function useReason() {
  const { t, te } = useI18n()
  return (code: string | null | undefined, text: string | null | undefined): string => {
    const key = `reasons.${code ?? ''}`
    return code && te(key) ? t(key) : (text ?? '')
  }
}
