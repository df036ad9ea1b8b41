/** The server writes `[image]` where a message has no words; people read "Picture". */

import { useI18n } from 'vue-i18n'

export function usePreview() {
  const { t, te } = useI18n()
  return (preview: string): string => {
    const kind = /^\[([\w.]+)\]$/.exec(preview)?.[1]
    if (!preview) return t('inbox.noText')
    if (!kind) return preview
    return te(`preview.${kind}`) ? t(`preview.${kind}`) : te(`unsupported.${kind}`) ? t(`unsupported.${kind}`) : t('inbox.noText')
  }
}
